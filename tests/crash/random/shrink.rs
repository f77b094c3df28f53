//! Makes a program that fails as short as it can be while it fails.

use crate::program::{Build, End, How, LogOp, MapOp, Program, Step, Transaction, Value, Which};
use indelible::power::Model;

/// The shortest that was found, and what goes wrong with it.
pub fn shrink(
    mut program: Program,
    mut message: String,
    fails: impl Fn(&Program) -> Option<String>,
) -> (Program, String) {
    'again: loop {
        for candidate in candidates(&program) {
            if let Some(found) = fails(&candidate) {
                (program, message) = (candidate, found);
                continue 'again;
            }
        }
        return (program, message);
    }
}

/// Programs that are a little simpler, those first that leave out most.
fn candidates(program: &Program) -> Vec<Program> {
    let mut all = Vec::new();
    let mut change = |f: &dyn Fn(&mut Program)| {
        let mut candidate = program.clone();
        f(&mut candidate);
        if candidate != *program {
            all.push(candidate);
        }
    };
    change(&|program| program.then.clear());
    change(&|program| (program.kills, program.depth) = (false, 1));
    change(&|program| program.kills = false);
    change(&|program| program.file_system = false);
    change(&|program| program.model = Model::Word8);
    change(&|program| program.journal_words = 32);
    let parts: [fn(&mut Program) -> &mut Vec<Transaction>; 2] =
        [|program| &mut program.transactions, |program| &mut program.then];
    for part in parts {
        let transactions = part(&mut program.clone()).clone();
        for index in (0..transactions.len()).rev() {
            change(&|program| drop(part(program).remove(index)));
        }
        for (index, transaction) in transactions.iter().enumerate().rev() {
            change(&|program| part(program)[index].elsewhere = false);
            change(&|program| part(program)[index].end = End::Commit);
            for step in (0..transaction.steps.len()).rev() {
                change(&|program| _ = part(program)[index].steps.remove(step));
                for simpler in simpler(transaction.steps[step]) {
                    change(&|program| part(program)[index].steps[step] = simpler);
                }
            }
        }
    }
    all
}

fn simpler(step: Step) -> Vec<Step> {
    let plain = |build: Build| {
        [
            Build { data: 0, ..build },
            Build { side: false, ..build },
            Build { data: build.data.min(1), ..build },
        ]
    };
    let mut all = Vec::new();
    match step {
        Step::Store { word, value } => {
            all.push(Step::Store { word: 0, value });
            all.push(Step::Store { word, value: Value::New(1) });
        }
        Step::StoreRun { from, count, value } if count > 2 => {
            all.push(Step::StoreRun { from, count: count / 2, value });
            all.push(Step::StoreRun { from, count: count - 1, value });
        }
        Step::StoreInNode { list, depth, which, value } => {
            all.push(Step::StoreInNode { list, depth: 0, which, value });
            all.push(Step::StoreInNode { list, depth, which: Which::Near, value });
        }
        Step::Push { list, depth, build, how, late } => {
            all.push(Step::Push { list, depth: 0, build, how, late });
            all.push(Step::Push { list, depth, build, how: How::Stage, late });
            all.push(Step::Push { list, depth, build, how, late: false });
            all.extend(plain(build).map(|build| Step::Push { list, depth, build, how, late }));
        }
        Step::Rewrite { list, value, how, .. } => {
            all.push(Step::Rewrite { list, depth: 0, value, how });
        }
        Step::Replace { list, build, how, keep } => {
            all.push(Step::Replace { list, build, how: How::Stage, keep });
            all.push(Step::Replace { list, build, how, keep: false });
            all.extend(plain(build).map(|build| Step::Replace { list, build, how, keep }));
        }
        Step::Slice { index, len, id, how } => {
            all.push(Step::Slice { index, len: len / 2, id, how });
            all.push(Step::Slice { index, len, id, how: How::Stage });
        }
        Step::Text { len, id, how } => {
            all.push(Step::Text { len: len / 2, id, how });
            all.push(Step::Text { len, id, how: How::Stage });
        }
        Step::Log { at, op } => all.extend(simpler_op(op).map(|op| Step::Log { at, op })),
        Step::Tree(op) => all.extend(simpler_map(op).map(Step::Tree)),
        Step::Hash(op) => all.extend(simpler_map(op).map(Step::Hash)),
        _ => {}
    }
    all
}

fn simpler_op(op: LogOp) -> Option<LogOp> {
    Some(match op {
        LogOp::Create { capacity, .. } => LogOp::Create { capacity, first: 1 },
        LogOp::AppendAll { id, len, .. } => LogOp::Append { id, len },
        LogOp::Append { id, len } => LogOp::Append { id, len: len / 2 },
        _ => return None,
    })
}

fn simpler_map(op: MapOp) -> Option<MapOp> {
    Some(match op {
        MapOp::InsertRun { key, count: 0..2, value } => MapOp::Insert { key, value },
        MapOp::InsertRun { key, count, value } => MapOp::InsertRun { key, count: count - 1, value },
        MapOp::RemoveRun { key, count: 0..2 } => MapOp::Remove { key },
        MapOp::RemoveRun { key, count } => MapOp::RemoveRun { key, count: count - 1 },
        _ => return None,
    })
}
