//! The `cfg` filter, in a child for each input, as the agent has it.
//!
//! A filter may loop for ever and want all memory; the applet's limits end it then, and that is no
//! finding. What is one: a panic of our own code, a broken promise, a real crash, and any death while
//! the filter is only read. The child shows what it covered when it ended well, so that the corpus
//! is not filled with filters that run wild.
#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

// As an inline module, so that the agent's file finds its own.
#[path = "../../ww-agent/src"]
mod agent {
    #[allow(dead_code, unreachable_pub, reason = "the agent uses all of it")]
    pub(crate) mod filter;
}
use agent::filter;

#[path = "../checks/filter.rs"]
mod check;

/// As `ww-agent/src/applets/cfg.rs` has it, without the stack.
const MEMORY: u64 = 256 * 1024 * 1024;
/// Less than the applet's 30 s: what takes so long is wild anyway.
const MICROSECONDS: i64 = 300_000;
/// Reading ends; the time is for a busy machine.
const READING_MICROSECONDS: i64 = 10_000_000;

const FINDING: i32 = 77;
const NO_MEMORY: i32 = 78;

struct Limited;

// SAFETY: everything is the system's allocator; a child that gets nothing leaves at once.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let got = unsafe { System.alloc(layout) };
        if got.is_null() {
            unsafe { libc::_exit(NO_MEMORY) };
        }
        got
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let got = unsafe { System.realloc(pointer, layout, size) };
        if got.is_null() {
            unsafe { libc::_exit(NO_MEMORY) };
        }
        got
    }
}

#[global_allocator]
static ALLOCATOR: Limited = Limited;

unsafe extern "C" {
    static mut __start___sancov_cntrs: u8;
    static mut __stop___sancov_cntrs: u8;
}

/// The coverage counters of this process, and as many bytes that a child shares.
struct Counters {
    own: usize,
    shared: usize,
    length: usize,
}

fn counters() -> &'static Counters {
    static COUNTERS: OnceLock<Counters> = OnceLock::new();
    COUNTERS.get_or_init(|| {
        let own = &raw mut __start___sancov_cntrs as usize;
        let length = &raw mut __stop___sancov_cntrs as usize - own;
        // SAFETY: new anonymous memory.
        let shared = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(shared, libc::MAP_FAILED);
        Counters {
            own,
            shared: shared as usize,
            length,
        }
    })
}

#[derive(PartialEq)]
enum Ended {
    Well,
    Wild,
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if run(input, check::check, MICROSECONDS) == Ended::Wild
        && run(input, check::check_reading, READING_MICROSECONDS) == Ended::Wild
    {
        panic!("reading the filter takes too much");
    }
});

fn run(input: &[u8], check: fn(&[u8]), microseconds: i64) -> Ended {
    let Counters {
        own,
        shared,
        length,
    } = *counters();
    // SAFETY: one thread but for the fuzzer's own watcher, and a child that leaves by `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "cannot fork");
    if child == 0 {
        limit(microseconds);
        let own_fault = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let seen = own_fault.clone();
        // The library's panics are caught by the agent; ours are findings, caught or not.
        std::panic::set_hook(Box::new(move |panic| {
            let file = panic.location().map_or("", |location| location.file());
            if file.contains("ww-agent/src") || file.contains("checks/") || file.contains("/../") {
                eprintln!("{panic}");
                seen.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }));
        let ended = catch_unwind(AssertUnwindSafe(|| check(input)));
        if ended.is_err() || own_fault.load(std::sync::atomic::Ordering::Relaxed) {
            unsafe { libc::_exit(FINDING) };
        }
        // SAFETY: both are `length` bytes and apart.
        unsafe {
            std::ptr::copy_nonoverlapping(own as *const u8, shared as *mut u8, length);
            libc::_exit(0);
        }
    }
    let mut status = 0;
    // SAFETY: the child is ours.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    if libc::WIFEXITED(status) {
        match libc::WEXITSTATUS(status) {
            0 => {
                // SAFETY: as above; the child is gone.
                unsafe {
                    std::ptr::copy_nonoverlapping(shared as *const u8, own as *mut u8, length);
                }
                return Ended::Well;
            }
            NO_MEMORY => return Ended::Wild,
            code => panic!("the child exited {code}"),
        }
    }
    match libc::WTERMSIG(status) {
        // Its time was over, or its stack: a crash of another kind is told by the fuzzer's handler,
        // which needs a stack, and exits.
        libc::SIGVTALRM | libc::SIGSEGV => Ended::Wild,
        signal => panic!("the child was ended by signal {signal}"),
    }
}

fn limit(microseconds: i64) {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').next().and_then(|word| word.parse().ok());
    let memory = MEMORY + filter::STACK as u64 + pages.unwrap_or(0_u64) * 4096;
    let set = |resource, most| {
        let most = libc::rlimit {
            rlim_cur: most,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: plain numbers. Refused where a limit is lower already.
        unsafe { libc::setrlimit(resource, &raw const most) };
    };
    set(libc::RLIMIT_STACK, filter::STACK as u64);
    set(libc::RLIMIT_AS, memory);
    set(libc::RLIMIT_CORE, 0);
    let timer = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: libc::timeval {
            tv_sec: microseconds / 1_000_000,
            tv_usec: microseconds % 1_000_000,
        },
    };
    // SAFETY: plain numbers; the default of the signal ends the process.
    unsafe { libc::setitimer(libc::ITIMER_VIRTUAL, &raw const timer, std::ptr::null_mut()) };
}
