//! The types cost nothing: what a release build makes of `persist` and `Link::get`, read from its machine code.
#![cfg(target_arch = "x86_64")]

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, OpAccess};
use object::{Object, ObjectSection, ObjectSymbol};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The probe program, built as a user would build it, with the flush instruction fixed.
fn probe() -> &'static [u8] {
    static PROBE: OnceLock<Vec<u8>> = OnceLock::new();
    PROBE.get_or_init(|| {
        let target: PathBuf = [env!("CARGO_TARGET_TMPDIR"), "codegen"].iter().collect();
        let output = Command::new(env!("CARGO"))
            .args(["build", "--release", "--offline", "--locked", "--package", "indelible-codegen-probe"])
            .arg("--target-dir")
            .arg(&target)
            .env("RUSTFLAGS", "--cfg indelible_flush=\"clwb\"")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(target.join("release/indelible-codegen-probe")).expect("the probe was built")
    })
}

/// The instructions of the one function whose name contains this.
fn instructions(name: &str) -> Vec<Instruction> {
    let file = object::File::parse(probe()).expect("an ELF file");
    let symbols: Vec<_> = file
        .symbols()
        .filter(|symbol| symbol.is_definition() && symbol.name().is_ok_and(|found| found.contains(name)))
        .collect();
    assert_eq!(symbols.len(), 1, "one function is called {name}");
    let symbol = &symbols[0];
    let section = file.section_by_index(symbol.section_index().expect("in a section")).expect("there");
    let bytes =
        section.data_range(symbol.address(), symbol.size()).expect("readable").expect("inside the section");
    let code: Vec<Instruction> =
        Decoder::with_ip(64, bytes, symbol.address(), DecoderOptions::NONE).into_iter().collect();
    println!("{name}:");
    code.iter().for_each(|instruction| println!("    {instruction}"));
    code
}

fn straight(code: &[Instruction]) -> bool {
    code.iter()
        .all(|instruction| matches!(instruction.flow_control(), FlowControl::Next | FlowControl::Return))
}

#[test]
fn persist_of_48_bytes_is_one_flush_and_one_fence() {
    let code = instructions("probe_persist");
    let count = |wanted: &[Code]| code.iter().filter(|i| wanted.contains(&i.code())).count();
    assert_eq!(count(&[Code::Clwb_m8]), 1);
    assert_eq!(count(&[Code::Clflushopt_m8, Code::Clflush_m8]), 0);
    assert_eq!(count(&[Code::Sfence, Code::Sfence_FA, Code::Sfence_FB, Code::Sfence_FC]), 1);
    assert!(straight(&code), "no call and no branch");
    let flush = code.iter().position(|i| i.code() == Code::Clwb_m8);
    let fence = code.iter().position(|i| i.mnemonic() == iced_x86::Mnemonic::Sfence);
    assert!(flush < fence);
}

#[test]
fn get_is_a_load_a_test_and_an_add() {
    let code = instructions("probe_get");
    assert!(straight(&code), "no call and no branch");
    let mut info = InstructionInfoFactory::new();
    let loads: usize = code
        .iter()
        .filter(|instruction| instruction.flow_control() == FlowControl::Next)
        .map(|i| info.info(i).used_memory().iter().filter(|m| m.access() != OpAccess::NoMemAccess).count())
        .sum();
    assert_eq!(loads, 1, "one load");
    assert!(code.len() <= 6, "load, test, add, select, return: {} instructions", code.len());
}

/// A leaf of eight entries has 14 lines with its header, an inner node of 32 children 14 of another size.
#[test]
fn a_look_up_in_a_tree_asks_for_all_lines_of_a_node_at_once() {
    let code = instructions("probe_map_get");
    let is_prefetch = |i: &&Instruction| i.code() == Code::Prefetcht0_m8;
    let mut runs: Vec<usize> = code
        .chunk_by(|a, b| a.code() == b.code())
        .filter(|run| is_prefetch(&&run[0]))
        .map(<[_]>::len)
        .collect();
    runs.sort_unstable();
    assert_eq!(runs, [14, 14], "lines asked for without a branch between them");
}
