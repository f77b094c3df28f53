//! A macro of an old crate spells the field's type. In the edition of 2015 `::indelible` begins in the crate that uses
//! the macro, where another trait has this name. But the derive looks for the field's description where its own
//! implementation is. (Were that believed, a reference would be stored as a number, and followed after a restart.)

pub mod indelible {
    pub use ::indelible::{Flag, No};

    pub trait Persistent {
        type Links: Flag;
        const PART: super::Part;
        fn project_field<'a>(this: *mut Self) -> &'a mut Self;
    }
}

#[derive(Clone, Copy)]
pub struct Part;

impl Part {
    pub const fn at(self, name: &'static str, offset: isize) -> ::indelible::__private::Field {
        <u64 as ::indelible::Persistent>::PART.at(name, offset)
    }
}

pub type Field = &'static u64;

impl indelible::Persistent for Field {
    type Links = indelible::No;
    const PART: Part = Part;
    fn project_field<'a>(_: *mut Self) -> &'a mut Self {
        unimplemented!()
    }
}

macro_rules! make {
    ($field:ident) => {
        #[derive(::indelible::Persistent)]
        #[repr(C)]
        pub struct Account {
            pub balance: $field,
        }
    };
}

indelible_ui_old::field!(make);

fn main() {
    let _ = |account: Account| account.balance;
}
