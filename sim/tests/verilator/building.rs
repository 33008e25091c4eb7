//! The cache under load, after damage and after kills; tools that are missing or do not fit; designs that are wrong.

use crate::*;
use sim::verilator::Installation;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Set for [`builds_for_its_parent`].
const CHILD: &str = "HEMATITE_TEST_CHILD";

/// A counter whose text, and so its key in the cache, nobody else has.
fn build_counter(cache: &Path, salt: &str) -> Result<Verilated, VerilatorError> {
    let (verilog, interface) = (format!("// {salt}\n{COUNTER}"), counter());
    let source = Source { verilog: &verilog, interface: &interface };
    Verilated::build_with(&find_verilator()?, cache, &source, &NO_OPTIONS)
}

fn works(mut counter: Verilated) {
    set(&mut counter, "by", 5);
    counter.step_domains(&[0]).unwrap();
    assert_eq!(get(&mut counter, "count"), 5);
}

/// A cache for one test that has Verilator's runtime already, which takes longer to build than any model here.
fn cache(name: &str) -> PathBuf {
    let cache = folder(name);
    model(COUNTER, &counter(), &NO_OPTIONS);
    for entry in fs::read_dir(temporary("shared")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_str().unwrap().starts_with("runtime-") && entry.path().is_dir() {
            symlink(entry.path(), cache.join(entry.file_name())).unwrap();
        }
    }
    cache
}

/// What is in the cache beside locks and runtimes.
fn entries(cache: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(cache).into_iter().flatten().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.filter(|path| !named(path).ends_with(".lock") && !named(path).starts_with("runtime-")).collect()
}

/// Writes an executable shell script.
fn script(path: &Path, body: &str) -> PathBuf {
    fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}

/// This test program again, running only [`builds_for_its_parent`].
fn child(cache: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "building::builds_for_its_parent", "--nocapture"]);
    command.env(CHILD, "1").env("HEMATITE_CACHE", cache);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for a child that must not be left alone for long.
fn finish(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn builds_for_its_parent() {
    let Ok(wish) = std::env::var(CHILD) else { return };
    if wish == "print" {
        let options = VerilatorOptions { assertions: true, ..NO_OPTIONS };
        let interface = clocked("talks", &[("word", 8)], &[], false);
        let mut talks =
            Verilated::build(&Source { verilog: TALKS, interface: &interface }, &options).unwrap();
        assert!(talks.step_domains(&[0]).is_err());
        set(&mut talks, "word", 7);
        talks.step_domains(&[0]).unwrap();
    } else {
        let options = VerilatorOptions { trace: wish == "trace", ..NO_OPTIONS };
        match Verilated::build(&Source { verilog: COUNTER, interface: &counter() }, &options) {
            Ok(model) => works(model),
            Err(error) => println!("<{error}>"),
        }
    }
}

const TALKS: &str = "module talks (input wire clk, input wire [7:0] word);
    always @(posedge clk) begin
        if (word != 8'd0) $display(\"the word is %0d\", word);
        not_zero: assert (word != 8'd0);
    end
endmodule";

#[test]
fn a_design_prints_nothing_to_standard_output() {
    let output = finish(child(&cache("prints")).env(CHILD, "print").spawn().unwrap());
    let [printed, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(!printed.contains("word") && !printed.contains("ssert"), "{printed}");
    assert!(errors.contains("the word is 7\n") && !errors.contains("ssert"), "{errors}");
}

#[test]
fn a_short_lived_model_works() {
    let options = VerilatorOptions { short_lived: true, ..NO_OPTIONS };
    works(build(COUNTER, &counter(), &options).unwrap());
}

#[test]
fn a_cached_model_starts_at_once() {
    let cache = cache("fast");
    works(build_counter(&cache, "").unwrap());
    let library = entries(&cache)[0].join("model.so");
    let built = fs::metadata(&library).unwrap().modified().unwrap();
    let start = Instant::now();
    for _ in 0..10 {
        works(build_counter(&cache, "").unwrap());
    }
    let each = start.elapsed() / 10;
    assert!(each < Duration::from_millis(100), "{each:?}");
    assert_eq!(fs::metadata(&library).unwrap().modified().unwrap(), built);
    works(build_counter(&cache, "other text").unwrap());
    assert_eq!(entries(&cache).len(), 2);
}

#[test]
fn threads_and_processes_build_a_model_once() {
    let folder = folder("once");
    let (cache, calls) = (cache("once/cache"), folder.join("calls"));
    // Counts how often Verilator makes a model.
    let verilator = find_verilator().unwrap();
    let counting = format!(
        "case \"$*\" in *--cc*) echo call >> '{}';; esac\nexec '{}' \"$@\"",
        calls.display(),
        verilator.program.display()
    );
    let counting = script(&folder.join("verilator"), &counting);
    let installation = Installation::at(&counting).unwrap();
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                let interface = counter();
                let source = Source { verilog: COUNTER, interface: &interface };
                works(Verilated::build_with(&installation, &cache, &source, &NO_OPTIONS).unwrap());
            });
        }
    });
    assert_eq!(fs::read_to_string(&calls).unwrap(), "call\n");

    entries(&cache).iter().for_each(|entry| fs::remove_dir_all(entry).unwrap());
    let children: Vec<_> =
        (0..4).map(|_| child(&cache).env("VERILATOR", &counting).spawn().unwrap()).collect();
    children.into_iter().for_each(|child| drop(finish(child)));
    assert_eq!(fs::read_to_string(&calls).unwrap(), "call\ncall\n");
    assert_eq!(entries(&cache).len(), 1);
}

#[test]
fn a_killed_build_leaves_the_cache_usable() {
    let folder = folder("killed");
    let (cache, marker) = (cache("killed/cache"), folder.join("compiling"));
    // Stops in the middle of the build: Verilog read, model not compiled.
    let stuck = format!(
        "case \"$*\" in *unit0*) touch '{}'; exec sleep 30;; esac\nexec c++ \"$@\"",
        marker.display()
    );
    let stuck = script(&folder.join("stuck"), &stuck);
    let mut victim = child(&cache).env("CXX", stuck).spawn().unwrap();
    while !marker.exists() {
        assert!(
            victim.try_wait().unwrap().is_none(),
            "the build went past the point where it should be killed"
        );
        thread::sleep(Duration::from_millis(10));
    }
    let mut waiting = child(&cache).spawn().unwrap();
    thread::sleep(Duration::from_millis(200));
    assert!(waiting.try_wait().unwrap().is_none(), "who wants the same model waits");
    let half_done = entries(&cache);
    assert!(half_done.len() == 1 && half_done[0].to_str().unwrap().contains(".building-"), "{half_done:?}");

    victim.kill().unwrap();
    victim.wait().unwrap();
    finish(waiting);
    let left = entries(&cache);
    assert!(left.len() == 1 && left[0] != half_done[0], "one model and no rubbish: {left:?}");
    finish(child(&cache).env("CXX", "/missing/compiler").spawn().unwrap());
}

#[test]
fn a_damaged_model_is_built_again() {
    let cache = cache("damaged");
    // Each in a process of its own: the system may take a library that it has loaded once without a look at the file.
    let works = || drop(finish(child(&cache).spawn().unwrap()));
    works();
    let library = entries(&cache)[0].join("model.so");
    let size = || fs::metadata(&library).unwrap().len();
    let built = size();
    fs::remove_file(&library).unwrap();
    works();
    assert_eq!(size(), built);
    fs::write(&library, "not a library").unwrap();
    works();
    assert_eq!(size(), built);
}

/// The error of a child with one variable set, without the lines on how to install.
fn error_with(variable: &str, value: &Path, cache: &Path) -> String {
    let output = finish(child(cache).env(variable, value).spawn().unwrap());
    let text = String::from_utf8(output.stdout).unwrap();
    let error = text.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>')).expect("an error").0;
    let (error, install) = error.split_once('\n').unwrap();
    assert!(install.contains("apt-get install verilator g++") && install.contains("CXX"), "{install}");
    error.to_owned()
}

#[test]
fn missing_and_old_tools_are_named() {
    let folder = folder("tools");
    let cache = folder.join("cache");
    let missing = folder.join("nothing-here");
    assert_eq!(
        error_with("VERILATOR", &missing, &cache),
        format!("Verilator is missing: `{}` was not found.", missing.display())
    );
    let old = script(&folder.join("old"), "echo 'Verilator 4.038 2020-07-11 rev v4.036-114-g0cd4a57ad'");
    assert_eq!(
        error_with("VERILATOR", &old, &cache),
        format!("Verilator 4.038 (`{}`) is too old; 5.006 is the oldest that works.", old.display())
    );
    let other = script(&folder.join("other"), "echo 'something else'");
    assert_eq!(
        error_with("VERILATOR", &other, &cache),
        format!(
            "`{}` is not a usable Verilator: `--version` prints no version but \"something else\"",
            other.display()
        )
    );
    let broken = script(&folder.join("broken"), "echo 'perl: not found' >&2; exit 127");
    assert!(error_with("VERILATOR", &broken, &cache).contains("ends with exit status: 127"));
    let rootless =
        script(&folder.join("rootless"), "case $1 in --version) echo Verilator 5.020 x;; *) echo /x;; esac");
    assert!(error_with("VERILATOR", &rootless, &cache).ends_with("/x/include has no verilated.h"));
    assert_eq!(
        error_with("CXX", &missing, &cache),
        format!("A C++ compiler is missing: found none of {}.", missing.display())
    );
    assert!(entries(&cache).is_empty());
}

#[test]
fn a_missing_library_is_named() {
    let folder = folder("library");
    // Debian without zlib1g-dev.
    let lacking = script(
        &folder.join("lacking"),
        "case $1 in --version) echo g++;; *) echo 'x.c:1: fatal error: zlib.h: No such file' >&2; exit 1;; esac",
    );
    let mut command = child(&folder.join("cache"));
    let output = finish(command.env("CXX", lacking).env(CHILD, "trace").spawn().unwrap());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("<The C++ library that has `zlib.h` is missing; tracing needs it.\nOn Debian"),
        "{text}"
    );
}

#[test]
fn broken_verilog_is_told_in_a_few_lines() {
    let cache = cache("broken");
    let interface = clocked("broken", &[], &[("q", 1)], false);
    let error_of = |verilog: &str| {
        let source = Source { verilog, interface: &interface };
        let built = Verilated::build_with(&find_verilator().unwrap(), &cache, &source, &NO_OPTIONS);
        built.err().expect("an error").to_string()
    };
    let mut verilog = "module broken (input wire clk, output reg q);\n".to_owned();
    (0..40).for_each(|i| verilog += &format!("always @(posedge clk) q <= missing{i};\n"));
    let error = error_of(&(verilog + "endmodule"));
    assert!(error.starts_with("Verilator rejects module `broken`:\n%Error: broken.v:2:"), "{error}");
    assert!(error.contains("missing0") && error.lines().count() < 12, "{error}");

    let error = error_of("module other (input wire clk, output reg q); endmodule");
    assert!(error.contains("broken"), "{error}");
    let error = error_of("module broken (input wire clk, output reg [1:0] q); endmodule");
    assert!(
        error.contains("port `q` is an output of 1 bits in the interface and an output of 2 bits"),
        "{error}"
    );
    let error = error_of("module broken (input wire clk, input wire en, output reg q); endmodule");
    assert!(error.contains("the Verilog has input `en`, the interface has not"), "{error}");
    assert!(entries(&cache).is_empty(), "nothing is kept");

    let mut named = interface.clone();
    named.name = "../broken".into();
    let source = Source { verilog: "", interface: &named };
    let error =
        Verilated::build_with(&find_verilator().unwrap(), &cache, &source, &NO_OPTIONS).err().unwrap();
    assert_eq!(error.to_string(), "Module `../broken`: \"../broken\" is not an identifier");
}

#[test]
fn a_cache_that_cannot_be_written_is_an_error() {
    let file = folder("unwritable").join("file");
    fs::write(&file, "").unwrap();
    let error = build_counter(&file.join("cache"), "").err().unwrap().to_string();
    assert!(error.starts_with("cannot create") && error.contains("file/cache"), "{error}");
}
