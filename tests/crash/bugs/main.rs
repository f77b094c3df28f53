//! Published crash-consistency bugs, each as a small program against this crate, and where it dies.
//!
//! What types can't know is found by the explorer from the program's own invariant, and the corrected program
//! passes in every image. What types can know does not compile (`ui-tests/cases/`); where something of it can
//! be tried at run time all the same, that is here too. What costs time only is named by `mutants()`.
//!
//! | row | bug | where it dies |
//! |---|---|---|
//! | 1 | token durable before key and value | `order/publish_dirty`, `order/publish_flushed`; with two words it is row 8 |
//! | 2 | move in two steps | [`steps`]: `bug_02` |
//! | 3 | resize not atomic | [`steps`]: `bug_03` |
//! | 4 | flush skipped by a wrong cache-line test | `src/flush/`: `every_line_of_a_range_is_flushed_once`; [`rules`]: `bugs_04_10_13_20_and_24` |
//! | 5 | root split without recovery | [`steps`]: `bug_05` |
//! | 6 | constructor's stores never flushed | `order/publish_dirty`, `state/handle_ignored`; [`rules`]: `bugs_06_and_15` |
//! | 7 | volatile sentinel that became persistent | [`restart`]: `bug_07` |
//! | 8 | two fields, one crash-visible without the other | [`steps`]: `bug_08` |
//! | 9 | allocation metadata not persisted | there is none; [`rules`]: `bug_09` |
//! | 10 | flush of the wrong range | as row 4 |
//! | 11 | freed twice after a restart | `state/use_after_publish`; a program's own slots: [`restart`]: `bug_11` |
//! | 12 | no fence before the publishing store | `order/publish_flushed`; [`rules`]: `bug_12` |
//! | 13 | flush of the wrong address | as row 4 |
//! | 14 | field changed without being logged | `state/set_a_published_word`, `state/write_published`; [`rules`]: `bug_14` |
//! | 15 | written after allocation, not persisted | `state/write_after_persist`; [`rules`]: `bugs_06_and_15` |
//! | 16 | program forgot to call recovery | there is nothing to call; [`rules`]: `bug_16` |
//! | 17 | item linked, then changed | `state/write_published`, `state/use_after_publish`; [`rules`]: `bug_17` |
//! | 18 | store larger than 8 bytes torn | `layout/word_too_large`; [`rules`]: `bug_18` |
//! | 19 | not the right pool | other types: `tests/files/errors/schema.rs`; the right types: [`restart`]: `bug_19` |
//! | 20 | tail of a non-temporal copy not flushed | as row 4 |
//! | 21 | log head never flushed | the journal's own: `tests/crash/engine/main.rs`, `every_flush_and_fence_of_the_engine_is_needed` |
//! | 22 | checksum taken as valid without a fence | the journal's own: `tests/crash/engine/rules.rs`, `the_record_is_fenced_before_it_is_applied` |
//! | 23 | acknowledged before the fence | [`rules`]: `bug_23` |
//! | 24 | first or last line of a range not flushed | as row 4 |
//! | 25 | lock word that survived | `layout/mutex`; a word as a lock: [`restart`]: `bug_25` |
//! | 26 | flush range computed wrongly | as row 4 |
//! | 27 | flush by an instruction that promises nothing | `tests/costs/codegen.rs` |
//! | 28 | a fence for each object | [`redundant`]: `bug_28` |
//! | 29 | redundant flush | `order/flush_twice`; [`redundant`]: `bug_29` |
//! | 30 | forged state; other memory taken for persistent | `bypass/`, `region/page_cache_for_persistent_memory`; `tests/files/errors/media.rs` |

mod redundant;
mod restart;
mod rules;
mod steps;
mod support;
