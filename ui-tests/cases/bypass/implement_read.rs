//! `Read` is sealed.

use indelible::{Link, No, Persistent, Read, Target, Word};

struct Invented;

impl<'a> Read<'a> for Invented {
    fn get<T: Target + ?Sized>(&self, _: &'a Link<T>) -> Option<&'a T> {
        None
    }
    fn load<T: Copy + Persistent<Links = No>>(&self, word: &'a Word<T>) -> T {
        word.get()
    }
}

fn main() {}
