//! `examples/kv.rs` as a child process: a load that is killed with SIGKILL at random moments goes on behind what
//! is durable, and in the end every line is there.

use indelible_test_support::{chance::Chance, example::example, long::short_or};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

fn kv(db: &Path, args: &[&str]) -> Command {
    let mut command = example("kv");
    command.arg("--allow-tmpfs").arg(db).args(args);
    command
}

fn run(db: &Path, args: &[&str]) -> Output {
    kv(db, args).output().expect("the example starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Debian's word list where it is installed; else the sources and pages of this repository, each line with its
/// file and number, again and again.
fn lines(count: usize) -> Vec<String> {
    if let Ok(words) = std::fs::read_to_string("/usr/share/dict/words")
        && words.lines().count() >= count
    {
        return words.lines().map(str::to_string).collect();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lines = Vec::new();
    for round in 0.. {
        for folder in ["src", "src/tx", "src/region", "src/power", "book/src", "docs"] {
            let mut files: Vec<_> =
                std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            for file in files.iter().filter(|file| file.is_file()) {
                let Ok(source) = std::fs::read_to_string(file) else { continue };
                let name = file.strip_prefix(root).unwrap().display().to_string();
                for (number, line) in source.lines().enumerate() {
                    lines.push(format!("{name} {round}.{number}\t{line}"));
                    if lines.len() == count {
                        return lines;
                    }
                }
            }
        }
    }
    unreachable!()
}

#[test]
fn a_load_that_is_killed_ten_times_has_every_line() {
    let count = short_or(5_000, 100_000);
    let folder = tempfile::tempdir().unwrap();
    let (db, input) = (folder.path().join("db"), folder.path().join("input"));
    let lines = lines(count);
    std::fs::write(&input, lines.join("\n")).unwrap();
    let input = input.to_str().unwrap();

    // How long it takes, to have a measure for the kills.
    let start = Instant::now();
    assert!(run(&folder.path().join("other"), &["load", input]).status.success());
    let whole = start.elapsed();

    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
    let (mut kills, mut places) = (0, Vec::new());
    let mut chance = Chance::new(u64::from(seed));
    while kills < 10 {
        let mut child =
            kv(&db, &["load", input]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let share = chance.below(1 << 24) as f64 / f64::from(1 << 24) / 8.0;
        std::thread::sleep(whole.mul_f64(share) + Duration::from_millis(1));
        child.kill().unwrap();
        let over = child.wait().unwrap().success();
        let said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let place = |line: String| line.strip_prefix("going on behind line ")?.parse::<u64>().ok();
        places.extend(said.filter_map(place));
        kills += 1;
        if over {
            // Too late: from the beginning.
            std::fs::remove_file(&db).unwrap();
            (kills, places) = (0, Vec::new());
        }
    }
    assert!(places.is_sorted(), "{places:?}");
    let last = run(&db, &["load", input]);
    assert!(last.status.success(), "{}", text(&last.stderr));
    let rate = text(&last.stdout).trim();
    println!("{} lines, killed {kills} times, resumed behind {places:?}; {rate}", lines.len());

    let model: BTreeMap<&str, &str> =
        lines.iter().map(|line| line.split_once('\t').unwrap_or((line, ""))).collect();
    let scan = run(&db, &["scan", ""]);
    let mut found = text(&scan.stdout).lines();
    for (key, value) in &model {
        assert_eq!(found.next(), Some(&*format!("{key}\t{value}")));
    }
    assert_eq!(found.next(), None);
    let stat = run(&db, &["stat"]);
    assert!(stat.status.success(), "{}", text(&stat.stderr));
    let stat = text(&stat.stdout);
    assert!(stat.starts_with(&format!("{} keys\n", model.len())) && !stat.contains("unfinished"), "{stat}");
}

#[test]
fn commands_do_what_the_usage_says() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    let missing = run(&db, &["get", "a"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).starts_with("kv: "), "{}", text(&missing.stderr));
    for (key, value) in [("pear", "1"), ("pea", "2"), ("plum", "3"), ("pear", "4"), ("", "empty")] {
        assert!(run(&db, &["set", key, value]).status.success());
    }
    assert_eq!(text(&run(&db, &["get", "pear"]).stdout), "4\n");
    assert_eq!(text(&run(&db, &["get", ""]).stdout), "empty\n");
    assert_eq!(text(&run(&db, &["scan", "pea"]).stdout), "pea\t2\npear\t4\n");
    assert!(run(&db, &["del", "pea"]).status.success());
    let gone = run(&db, &["del", "pea"]);
    assert_eq!((gone.status.code(), text(&gone.stderr)), (Some(1), "kv: no key \"pea\"\n"));
    assert_eq!(text(&run(&db, &["scan", ""]).stdout), "\tempty\npear\t4\nplum\t3\n");
    assert!(text(&run(&db, &["stat"]).stdout).starts_with("3 keys\n"));

    let input = folder.path().join("input");
    std::fs::write(&input, "apple\tred\r\nbanana\nno\ttwo\ttabs\n").unwrap();
    assert!(run(&db, &["load", input.to_str().unwrap()]).status.success());
    let all = run(&db, &["scan", ""]);
    assert_eq!(text(&all.stdout), "\tempty\napple\tred\nbanana\t\nno\ttwo\ttabs\npear\t4\nplum\t3\n");
    std::fs::write(&input, b"fine\nnot \xff text\n").unwrap();
    let bad = run(&db, &["load", input.to_str().unwrap()]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(text(&bad.stderr).contains("input, line 2: "), "{}", text(&bad.stderr));

    for wrong in [&["frob"][..], &["set", "a"], &[]] {
        let output = run(&db, wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(text(&output.stderr).starts_with("usage: kv "));
    }
    let absent = run(&db, &["load", "/nowhere"]);
    assert_eq!(absent.status.code(), Some(1));
    assert!(text(&absent.stderr).contains("/nowhere: "));
}

/// Stopped by a line that is no text, it goes on where it was when that is mended, and only in the same file.
#[test]
fn a_load_goes_on_in_the_same_file_only() {
    let folder = tempfile::tempdir().unwrap();
    let (db, input) = (folder.path().join("db"), folder.path().join("input"));
    let load = || run(&db, &["load", input.to_str().unwrap()]);
    let line = |n: usize| format!("key {n}\tvalue {n}\n");
    let good: String = (0..2000).map(line).collect();
    let part: String = (0..1000).map(line).collect();
    let with_end = |end: &[u8]| std::fs::write(&input, [part.as_bytes(), end].concat()).unwrap();

    // Batches of 256 lines: three of them are in.
    with_end(b"\xff\n");
    let stopped = load();
    assert_eq!(stopped.status.code(), Some(1));
    assert!(text(&stopped.stderr).contains("input, line 1001: "), "{}", text(&stopped.stderr));
    let stat = run(&db, &["stat"]);
    assert!(text(&stat.stdout).starts_with("768 keys\n"), "{}", text(&stat.stdout));
    assert!(text(&stat.stdout).contains("an unfinished load, 768 lines of it are in\n"));

    // The same line is the reason once more, and it was not begun anew.
    let stopped = load();
    assert!(text(&stopped.stderr).starts_with("going on behind line 768\n"), "{}", text(&stopped.stderr));
    assert!(text(&stopped.stderr).contains("input, line 1001: "));

    // Another beginning: all of it is loaded.
    std::fs::write(&input, good.replace("value 3\n", "value X\n")).unwrap();
    let anew = load();
    assert_eq!((anew.status.code(), text(&anew.stderr)), (Some(0), ""));
    assert!(text(&anew.stdout).starts_with("2000 lines loaded, "), "{}", text(&anew.stdout));
    assert_eq!(text(&run(&db, &["get", "key 3"]).stdout), "value X\n");

    // Stopped again, and mended: the rest is loaded, and then there is nothing to go on with.
    with_end(b"\xff\n");
    assert_eq!(load().status.code(), Some(1));
    assert_eq!(text(&run(&db, &["get", "key 3"]).stdout), "value 3\n");
    std::fs::write(&input, &good).unwrap();
    let rest = load();
    assert_eq!(text(&rest.stderr), "going on behind line 768\n");
    assert!(text(&rest.stdout).starts_with("1232 lines loaded, "), "{}", text(&rest.stdout));
    let again = load();
    assert!(text(&again.stdout).starts_with("2000 lines loaded, "), "{}", text(&again.stdout));
    // A file that is shorter than what was in: from its beginning.
    with_end(b"\xff\n");
    assert_eq!(load().status.code(), Some(1));
    std::fs::write(&input, line(5000)).unwrap();
    assert!(text(&load().stdout).starts_with("1 lines loaded, "));
    assert!(text(&run(&db, &["stat"]).stdout).starts_with("2001 keys\n"));
}

#[test]
fn a_load_reads_a_pipe_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (db, input) = (folder.path().join("db"), folder.path().join("input"));
    let lines: String = (0..600).map(|n| format!("{n}\n")).collect();
    // An unfinished load of a file that begins the same.
    std::fs::write(&input, [lines.as_bytes(), b"\xff\n"].concat()).unwrap();
    assert_eq!(run(&db, &["load", input.to_str().unwrap()]).status.code(), Some(1));
    let mut child = kv(&db, &["load", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example starts");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(text(&output.stdout).starts_with("600 lines loaded, "), "{output:?}");
}

#[test]
fn messages_are_in_the_words_of_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    let says = |output: Output, code: i32, what: &str| {
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = text(&output.stderr);
        assert!(said.starts_with("kv: ") && said.contains(what), "{said}");
    };
    for reading in [&["get", "a"][..], &["scan", ""], &["stat"], &["del", "a"]] {
        says(run(&db, reading), 1, "there is no such database; `set` and `load` make one");
        assert!(!db.exists(), "it makes none");
    }
    for (key, value) in [("a\tb", "c"), ("a\nb", "c"), ("a", "b\nc"), ("a\r", "b")] {
        says(run(&db, &["set", key, value]), 2, "a key holds no tab");
    }
    let no_text = OsStr::from_bytes(b"\xff");
    says(kv(&db, &["set"]).arg(no_text).arg("b").output().unwrap(), 2, "UTF-8");
    // A path need not be text.
    let other = folder.path().join(no_text);
    std::fs::write(&other, "a\tb\n").unwrap();
    assert!(kv(&db, &["load"]).arg(&other).output().unwrap().status.success());
    assert_eq!(text(&run(&db, &["get", "a"]).stdout), "b\n");
    says(run(&other, &["get", "a"]), 1, "not an indelible region");
    says(run(folder.path(), &["get", "a"]), 1, "folder");
    says(run(&folder.path().join("no/db"), &["set", "a", "b"]), 1, "there is no such folder");
    says(run(&db, &["load", folder.path().to_str().unwrap()]), 1, "directory");

    // Who reads needs no right to write, and changes nothing.
    let before = std::fs::read(&db).unwrap();
    std::fs::set_permissions(&db, PermissionsExt::from_mode(0o400)).unwrap();
    assert_eq!(text(&run(&db, &["scan", ""]).stdout), "a\tb\n");
    assert_eq!(std::fs::read(&db).unwrap(), before);

    // Somebody who writes, and somebody who reads.
    let file = std::fs::File::open(&db).unwrap();
    file.lock_shared().unwrap();
    says(run(&db, &["set", "a", "b"]), 1, "another program has it open");
    assert_eq!(text(&run(&db, &["get", "a"]).stdout), "b\n");
    drop(file);

    if let Ok(memory) = tempfile::tempdir_in("/dev/shm") {
        let mut strict = example("kv");
        strict.arg(memory.path().join("db")).args(["set", "a", "b"]);
        says(strict.output().unwrap(), 1, "give --allow-tmpfs");
    }
}
