//! The crash model: litmus tests of what may and may not be seen, and agreement with a plain enumeration.

use super::{Machine, Model};
use crate::power::choices::Choices;
use crate::power::unit::LINE_WORDS;
use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::Arc;

/// One step of a small program on four words in two lines (0 and 1, 8 and 9).
#[derive(Clone, Copy, Debug)]
enum Step {
    Store(usize, u64),
    Stream(usize, u64),
    Flush(usize),
    Fence,
    /// What follows is done by this thread.
    Thread(u32),
    Kill,
    Power,
}
use Step::*;

const WORDS: [usize; 4] = [0, 1, 8, 9];

/// All that a power failure after these steps may leave of the words, found lazily.
fn outcomes(model: Model, steps: &[Step]) -> BTreeSet<[u64; 4]> {
    let mut found = BTreeSet::new();
    let mut choices = Choices::default();
    loop {
        let mut machine = run(model, steps).power_failure();
        found.insert(WORDS.map(|word| read(&mut machine, &mut choices, word)));
        if !choices.next() {
            return found;
        }
    }
}

fn read(machine: &mut Machine, choices: &mut Choices, word: usize) -> u64 {
    if let Some(open) = machine.undecided(word) {
        let index = choices.choose(open.values.len());
        machine.decide(&open, index);
    }
    machine.visible(word)
}

fn run(model: Model, steps: &[Step]) -> Machine {
    let mut machine = Machine::new(model, Arc::new(vec![0; 2 * LINE_WORDS]));
    let mut thread = 0;
    for &step in steps {
        match step {
            Store(word, value) => machine.store(word, value, Location::caller()),
            Stream(word, value) => machine.stream(thread, word, value, Location::caller()),
            Flush(line) => machine.flush(thread, line),
            Fence => machine.fence(thread),
            Thread(number) => thread = number,
            Kill => machine = machine.kill(),
            Power => machine = machine.power_failure(),
        }
    }
    machine
}

/// Each word: every combination of the values given for it.
fn all(values: [&[u64]; 4]) -> BTreeSet<[u64; 4]> {
    let mut found = BTreeSet::new();
    for &a in values[0] {
        for &b in values[1] {
            for &c in values[2] {
                for &d in values[3] {
                    found.insert([a, b, c, d]);
                }
            }
        }
    }
    found
}

/// Exactly these values of the first word.
#[track_caller]
fn first(model: Model, steps: &[Step], values: &[u64]) {
    assert_eq!(outcomes(model, steps), all([values, &[0], &[0], &[0]]), "{model:?} {steps:?}");
}

const CACHED: [Model; 2] = [Model::Word8, Model::X86];

#[test]
fn only_a_flush_and_then_a_fence_make_a_store_durable() {
    for model in CACHED {
        first(model, &[Store(0, 1)], &[0, 1]);
        first(model, &[Store(0, 1), Flush(0)], &[0, 1]);
        first(model, &[Store(0, 1), Fence], &[0, 1]);
        first(model, &[Flush(0), Store(0, 1), Fence], &[0, 1]);
        first(model, &[Store(0, 1), Fence, Flush(0)], &[0, 1]);
        first(model, &[Store(0, 1), Flush(1), Fence], &[0, 1]);
        first(model, &[Store(0, 1), Flush(0), Fence], &[1]);
        first(model, &[Store(0, 1), Flush(0), Fence, Store(0, 2)], &[1, 2]);
    }
}

#[test]
fn a_flush_covers_what_was_stored_before_it() {
    for model in CACHED {
        first(model, &[Store(0, 1), Flush(0), Store(0, 2), Fence], &[1, 2]);
        first(model, &[Store(0, 1), Store(0, 2)], &[0, 1, 2]);
        first(model, &[Store(0, 1), Store(0, 2), Flush(0), Fence], &[2]);
    }
}

#[test]
fn a_fence_waits_for_the_flushes_of_its_own_thread() {
    for model in CACHED {
        first(model, &[Store(0, 1), Flush(0), Thread(1), Fence], &[0, 1]);
        first(model, &[Store(0, 1), Thread(1), Flush(0), Fence], &[1]);
        first(model, &[Store(0, 1), Flush(0), Thread(1), Fence, Thread(0), Fence], &[1]);
    }
}

#[test]
fn lines_are_independent() {
    for model in CACHED {
        assert_eq!(outcomes(model, &[Store(0, 1), Store(8, 1)]), all([&[0, 1], &[0], &[0, 1], &[0]]));
    }
}

#[test]
fn words_of_a_line_survive_in_order_on_x86_only() {
    let steps = [Store(0, 1), Store(1, 1), Store(0, 2)];
    assert_eq!(outcomes(Model::Word8, &steps), all([&[0, 1, 2], &[0, 1], &[0], &[0]]));
    let prefixes = [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [2, 1, 0, 0]];
    assert_eq!(outcomes(Model::X86, &steps), prefixes.into());
}

#[test]
fn a_streamed_word_needs_a_fence_and_no_flush() {
    for model in [Model::Word8, Model::X86, Model::Eadr] {
        first(model, &[Stream(0, 1)], &[0, 1]);
        first(model, &[Stream(0, 1), Flush(0)], &[0, 1]);
        first(model, &[Stream(0, 1), Thread(1), Fence], &[0, 1]);
        first(model, &[Stream(0, 1), Fence], &[1]);
        let words = outcomes(model, &[Stream(0, 1), Stream(1, 1)]);
        assert_eq!(words, all([&[0, 1], &[0, 1], &[0], &[0]]), "they survive one by one");
    }
}

#[test]
fn persistent_caches_keep_what_is_visible() {
    first(Model::Eadr, &[Store(0, 1)], &[1]);
    first(Model::Eadr, &[Store(0, 1), Store(0, 2), Flush(0)], &[2]);
}

#[test]
fn a_killed_process_leaves_its_stores_visible_and_not_durable() {
    for model in CACHED {
        assert_eq!(run(model, &[Store(0, 1), Kill]).visible(0), 1);
        first(model, &[Store(0, 1), Kill], &[0, 1]);
        first(model, &[Store(0, 1), Flush(0), Kill, Fence], &[0, 1]);
        first(model, &[Store(0, 1), Kill, Flush(0), Fence], &[1]);
    }
}

#[test]
fn a_second_power_failure_does_not_bring_back_what_was_gone() {
    for model in CACHED {
        first(model, &[Store(0, 1), Power, Power], &[0, 1]);
        first(model, &[Store(0, 1), Power, Store(0, 2)], &[0, 1, 2]);
        first(model, &[Store(0, 1), Power, Store(0, 2), Flush(0), Fence], &[2]);
        first(model, &[Store(0, 1), Flush(0), Fence, Power, Store(0, 2), Power], &[1, 2]);
    }
}

/// The same from the definition: a state of a unit can be found unless a thread flushed a later one and fenced.
fn enumerated(model: Model, steps: &[Step]) -> BTreeSet<[u64; 4]> {
    // The states of each unit, in order, each with the step that made it.
    let unit_of = |word: usize| if model == Model::X86 { word / LINE_WORDS } else { word };
    let units: BTreeSet<usize> = WORDS.iter().map(|&word| unit_of(word)).collect();
    let mut possible: Vec<Vec<Vec<(usize, u64)>>> = Vec::new();
    for &unit in &units {
        let words: Vec<usize> = WORDS.into_iter().filter(|&word| unit_of(word) == unit).collect();
        let mut states = vec![(0, words.iter().map(|&word| (word, 0)).collect::<Vec<_>>())];
        for (at, step) in steps.iter().enumerate() {
            if let Store(word, value) = *step
                && words.contains(&word)
            {
                let mut state = states[states.len() - 1].1.clone();
                state.iter_mut().filter(|(other, _)| *other == word).for_each(|(_, old)| *old = value);
                states.push((at + 1, state));
            }
        }
        let line = words[0] / LINE_WORDS;
        let survives = |index: usize| {
            let Some(&(replaced, _)) = states.get(index + 1) else { return true };
            let mut thread = 0;
            let mut flushed = BTreeSet::new();
            for (at, step) in steps.iter().enumerate() {
                match *step {
                    Thread(number) => thread = number,
                    Flush(of) if of == line && at >= replaced => drop(flushed.insert(thread)),
                    Fence if flushed.contains(&thread) => {
                        return model == Model::Eadr && index + 1 == states.len();
                    }
                    _ => {}
                }
            }
            model != Model::Eadr
        };
        let survivors =
            (0..states.len()).filter(|&index| survives(index)).map(|index| states[index].1.clone());
        possible.push(survivors.collect());
    }
    let mut found: BTreeSet<[u64; 4]> = [[0; 4]].into();
    for states in possible {
        found = found
            .into_iter()
            .flat_map(|image| {
                states.iter().map(move |state| {
                    let mut image = image;
                    for (word, value) in state {
                        image[WORDS.iter().position(|other| other == word).expect("one of four")] = *value;
                    }
                    image
                })
            })
            .collect();
    }
    found
}

/// A recovery that reads what it needs only, depending on what it finds.
fn recovery(mut read: impl FnMut(usize) -> u64) -> Vec<u64> {
    let head = read(0);
    let mut seen = vec![head];
    match head % 3 {
        0 => seen.push(read(1)),
        1 => {
            let next = read(8);
            seen.push(next);
            if next > 1 {
                seen.push(read(9));
            }
        }
        _ => {}
    }
    seen
}

#[test]
fn lazy_exploration_agrees_with_brute_force() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 32) % n
    };
    for model in [Model::Word8, Model::X86, Model::Eadr] {
        let (mut rich, mut images, mut lazy_runs) = (0, 0, 0);
        const TRACES: usize = 1_500;
        for _ in 0..TRACES {
            let mut value = 0;
            let steps: Vec<Step> = (0..6 + next(12))
                .map(|_| match next(10) {
                    0..=5 => {
                        value += 1;
                        Store(WORDS[next(4) as usize], value)
                    }
                    6 | 7 => Flush(next(2) as usize),
                    8 => Fence,
                    _ => Thread(next(2) as u32),
                })
                .collect();
            let all = enumerated(model, &steps);
            assert_eq!(outcomes(model, &steps), all, "{model:?} {steps:?}");

            // What a recovery can find, lazily and by trying every image.
            let place = |word: usize| WORDS.iter().position(|other| *other == word).expect("one of four");
            let plain: BTreeSet<Vec<u64>> =
                all.iter().map(|image| recovery(|word| image[place(word)])).collect();
            let mut lazy = BTreeSet::new();
            let mut choices = Choices::default();
            loop {
                let mut machine = run(model, &steps).power_failure();
                lazy.insert(recovery(|word| read(&mut machine, &mut choices, word)));
                lazy_runs += 1;
                if !choices.next() {
                    break;
                }
            }
            assert_eq!(lazy, plain, "{model:?} {steps:?}");
            images += all.len();
            rich += usize::from(all.len() > 4);
        }
        println!(
            "{model:?}: {TRACES} traces, {images} images by brute force, {lazy_runs} lazily, {rich} traces with more than four outcomes"
        );
        assert!(model == Model::Eadr || rich * 2 >= TRACES, "the traces are too simple");
    }
}
