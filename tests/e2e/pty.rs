//! A real terminal for a program: a PTY, and a screen that understands what is written to it.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::lab::{PATIENCE, audit_file, now, run};

/// A program on a PTY of its own.
pub(crate) struct Terminal {
    child: Child,
    keys: ChildStdin,
    bytes: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything that was ever written to it.
    pub(crate) raw: Vec<u8>,
}

impl Terminal {
    /// Runs a shell command on a terminal of this size. `script` of util-linux makes the PTY.
    pub(crate) fn new(shell: &str, rows: u16, columns: u16) -> Self {
        let inner = format!("stty rows {rows} cols {columns}; {shell}");
        let mut child = Command::new("script")
            .args(["-qefc", &inner, "/dev/null"])
            // Which shell is no matter of whoever runs the tests.
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .env("WW_AUDIT_FILE", audit_file())
            // Nor what he has chosen for himself.
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("`script` of util-linux");
        let keys = child.stdin.take().expect("its input");
        let mut output = child.stdout.take().expect("its output");
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keys,
            bytes,
            screen: vt100::Parser::new(size(rows), size(columns), 0),
            raw: Vec::new(),
        }
    }

    /// Types.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("its input");
        self.keys.flush().expect("its input");
    }

    /// Gives it another size, and tells the programs on it, as a window does.
    pub(crate) fn resize(&mut self, device: &str, rows: u16, columns: u16) {
        let sizes = [rows, columns].map(|cells| cells.to_string());
        let stty = ["-F", device, "rows", &sizes[0], "cols", &sizes[1]];
        run(Command::new("stty").args(stty)).expect(0);
        self.screen.screen_mut().set_size(size(rows), size(columns));
    }

    /// Whether the screen is the one programs take over.
    pub(crate) fn is_taken(&self) -> bool {
        self.screen.screen().alternate_screen()
    }

    /// Fails the test unless the terminal does nothing any more that only a dashboard wants.
    #[track_caller]
    pub(crate) fn is_given_back(&self) {
        let screen = self.screen.screen();
        let mouse = screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None;
        assert!(
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && mouse,
            "the terminal is not as it was: alternate screen {}, cursor hidden {}, paste {}, mouse {}",
            screen.alternate_screen(),
            screen.hide_cursor(),
            screen.bracketed_paste(),
            !mouse,
        );
    }

    /// Takes in what has been written to it so far.
    pub(crate) fn look(&mut self) {
        while let Ok(bytes) = self.bytes.try_recv() {
            self.screen.process(&bytes);
            self.raw.extend_from_slice(&bytes);
        }
    }

    /// What is on the screen now.
    pub(crate) fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// Waits until the screen shows what is wanted.
    #[track_caller]
    pub(crate) fn shows(&mut self, what: &str, mut wanted: impl FnMut(&str) -> bool) -> String {
        let begun = now();
        loop {
            let contents = self.contents();
            if wanted(&contents) {
                return contents;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{what} is not shown:\n{contents}"
            );
            match self.bytes.recv_timeout(Duration::from_millis(200)) {
                Ok(bytes) => {
                    self.screen.process(&bytes);
                    self.raw.extend_from_slice(&bytes);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let contents = self.contents();
                    assert!(
                        wanted(&contents),
                        "it has ended and {what} is not shown:\n{contents}"
                    );
                    return contents;
                }
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn size(cells: u16) -> std::num::NonZero<u16> {
    std::num::NonZero::new(cells).expect("a terminal has cells")
}
