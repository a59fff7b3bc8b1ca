//! Compiling in a child, and what is kept of it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use jackfield_domain::plugins::{CHAIN_WALL, Limits};
use jackfield_plugin_host::{
    Allocation, Cache, CompileError, Compiler, LoadError, Package, PluginHost, Reuse, Settings, hooks::Verdict,
};

use crate::{
    guests::{Guest, reject},
    support::{self, compiler, hub, put},
};

crate::tests![
    what_was_compiled_is_kept_and_sealed,
    a_file_that_was_tampered_with_is_not_used,
    a_file_is_not_taken_for_another,
    the_cache_is_nobody_elses,
    a_component_that_takes_too_long_to_compile_is_given_up,
    a_component_that_takes_too_much_memory_to_compile_is_given_up,
    what_is_wrong_inside_is_told,
    a_child_that_cannot_be_run_is_told,
    without_a_pool_it_works_too,
];

const KEY: [u8; 32] = [7; 32];

/// A compiler that cannot compile, so that what loads comes from the cache.
fn no_compiler() -> Compiler {
    Compiler::new("/nowhere/compiler".into(), Vec::new())
}

fn host(folder: &Path, key: [u8; 32], compiler: Compiler) -> PluginHost {
    let cache = Some(Cache::open(folder, key).unwrap());
    let (allocation, reuse) = (Allocation::Pool, Reuse::Fresh);
    PluginHost::new(Settings { allocation, reuse, compiler, cache, chain_wall: CHAIN_WALL }).unwrap()
}

fn only_file(folder: &Path) -> std::path::PathBuf {
    let mut files = fs::read_dir(folder).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

/// F: P-01
async fn what_was_compiled_is_kept_and_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let package = Package::read(Guest::new().build()).unwrap();
    host(folder.path(), KEY, compiler()).load(&package).await.unwrap();
    host(folder.path(), KEY, no_compiler()).load(&package).await.unwrap();
    let error = host(folder.path(), [8; 32], no_compiler()).load(&package).await.err();
    assert!(
        matches!(error, Some(LoadError::Compile(CompileError::NoChild(_)))),
        "under another key it is worth nothing"
    );
    host(folder.path(), [8; 32], compiler()).load(&package).await.unwrap();
    host(folder.path(), [8; 32], no_compiler()).load(&package).await.unwrap();
}

/// F: P-01
async fn a_file_that_was_tampered_with_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let package = Package::read(Guest::new().build()).unwrap();
    host(folder.path(), KEY, compiler()).load(&package).await.unwrap();
    let file = only_file(folder.path());
    let written = fs::read(&file).unwrap();
    let flipped = |at: usize| {
        let mut bytes = written.clone();
        bytes[at] ^= 1;
        bytes
    };
    let mut longer = written.clone();
    longer.push(0);
    let tampered = [
        flipped(0),
        flipped(40),
        flipped(written.len() - 1),
        longer,
        written[..20].to_vec(),
        Vec::new(),
        b"\x7fELF".to_vec(),
    ];
    for bytes in tampered {
        fs::write(&file, &bytes).unwrap();
        let error = host(folder.path(), KEY, no_compiler()).load(&package).await.err();
        assert!(matches!(error, Some(LoadError::Compile(CompileError::NoChild(_)))), "it is not used");
        assert!(!file.exists(), "and is gone");
        let host = host(folder.path(), KEY, compiler());
        let module = host.load(&package).await.expect("it is compiled again");
        let grants = std::sync::Arc::default();
        let plugin =
            jackfield_plugin_host::Plugin { module, grants, configuration: "{}".into(), limits: Limits::default() };
        assert_eq!(put(&host, &plugin, &hub(), &support::question("hello")).await.answer, Ok(Verdict::Allow));
        assert_eq!(fs::read(&file).unwrap().len(), written.len());
    }
}

/// F: P-01
async fn a_file_is_not_taken_for_another() {
    // Two plugins, of which one refuses: the file of the one in the place of the other bears a good seal, but for another.
    let folder = tempfile::tempdir().unwrap();
    let allows = Package::read(Guest::new().build()).unwrap();
    let refuses = Guest::new().data(1024, "NO").data(1100, "No.").before_create(&reject(3, 2));
    let refuses = Package::read(refuses.build()).unwrap();
    host(folder.path(), KEY, compiler()).load(&allows).await.unwrap();
    let first = only_file(folder.path());
    let kept = fs::read(&first).unwrap();
    fs::remove_file(&first).unwrap();
    host(folder.path(), KEY, compiler()).load(&refuses).await.unwrap();
    fs::write(only_file(folder.path()), kept).unwrap();
    let error = host(folder.path(), KEY, no_compiler()).load(&refuses).await.err();
    assert!(matches!(error, Some(LoadError::Compile(_))));
}

/// F: P-01
async fn the_cache_is_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("deep/cache");
    fs::create_dir_all(&inside).unwrap();
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o777)).unwrap();
    let package = Package::read(Guest::new().build()).unwrap();
    host(&inside, KEY, compiler()).load(&package).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inside), 0o700);
    assert_eq!(mode(&only_file(&inside)), 0o600);
}

/// Few bytes that are much work: a function with very many instructions.
fn bomb(steps: usize) -> Package {
    let step = "(local.set $x (i64.mul (i64.add (local.get $x) (i64.const 3)) (local.get $x)))
        (if (i64.eqz (local.get $x)) (then (local.set $x (i64.rotl (local.get $x) (i64.const 7)))))\n";
    let function = format!("(func (export \"bomb\") (local $x i64) {})", step.repeat(steps));
    Package::read(Guest::new().extra(&function).build()).unwrap()
}

async fn compile_within(package: &Package, time: Duration, memory_bytes: u64) -> Option<LoadError> {
    let settings = Settings {
        allocation: Allocation::Pool,
        reuse: Reuse::Fresh,
        compiler: compiler().within(time, memory_bytes),
        cache: None,
        chain_wall: CHAIN_WALL,
    };
    PluginHost::new(settings).unwrap().load(package).await.err()
}

/// F: P-01
async fn a_component_that_takes_too_long_to_compile_is_given_up() {
    let span = Duration::from_millis(30);
    let error = compile_within(&bomb(30_000), span, 4 << 30).await;
    assert_eq!(error, Some(LoadError::Compile(CompileError::TooMuch(span))));
}

/// F: P-01
async fn a_component_that_takes_too_much_memory_to_compile_is_given_up() {
    let span = Duration::from_secs(60);
    let good = Package::read(Guest::new().build()).unwrap();
    let little = 160 << 20;
    assert_eq!(compile_within(&good, span, little).await, None);
    let error = compile_within(&bomb(100_000), span, little).await;
    assert_eq!(error, Some(LoadError::Compile(CompileError::TooMuch(span))));
}

/// F: P-01
async fn what_is_wrong_inside_is_told() {
    let mut component = Guest::new().before_create("(i32.const 12345678)").build();
    // The constant becomes one that is too long: from outside nobody sees it.
    let constant = [0x41, 0xce, 0xc2, 0xf1, 0x05];
    let at = component.windows(constant.len()).position(|window| window == constant).expect("it is there");
    component[at + 4] = 0xff;
    let error = support::host(Reuse::Fresh).load(&Package::read(component).unwrap()).await.err();
    let Some(LoadError::Compile(CompileError::Invalid(what))) = error else { panic!("{error:?}") };
    assert!(what.contains("offset"), "{what}");
}

async fn a_child_that_cannot_be_run_is_told() {
    let settings = Settings {
        allocation: Allocation::Pool,
        reuse: Reuse::Fresh,
        compiler: no_compiler(),
        cache: None,
        chain_wall: CHAIN_WALL,
    };
    let package = Package::read(Guest::new().build()).unwrap();
    let error = PluginHost::new(settings).unwrap().load(&package).await.err();
    assert!(matches!(error, Some(LoadError::Compile(CompileError::NoChild(_)))));
}

/// F: P-01
async fn without_a_pool_it_works_too() {
    let settings = Settings {
        allocation: Allocation::OnDemand,
        reuse: Reuse::Fresh,
        compiler: compiler(),
        cache: None,
        chain_wall: CHAIN_WALL,
    };
    let host = PluginHost::new(settings).unwrap();
    assert_eq!(host.allocation(), Allocation::OnDemand);
    let outcome = support::ask_in(&host, &Guest::new(), &hub()).await;
    assert_eq!(outcome.answer, Ok(Verdict::Allow));
}
