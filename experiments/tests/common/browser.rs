//! Chromium without a window, told what to do over its debugging pipe.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A browser with one page.
pub struct Browser {
    child: Child,
    told: ChildStdin,
    heard: BufReader<ChildStdout>,
    /// What the page reported on its console, and what it failed at.
    pub complaints: Vec<Value>,
    session: String,
    calls: u64,
    _profile: TempDir,
}

impl Browser {
    /// None where there is no Chromium or `cargo xtask test --no-browser` wants none, which is said.
    pub fn start() -> Option<Browser> {
        if std::env::var_os("RESONETICS_NO_BROWSER").is_some() {
            let _ = writeln!(std::io::stderr(), "skipped: no browser is wanted");
            return None;
        }
        let named = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
            let mut asked = Command::new(name);
            asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
            asked.status().is_ok_and(|status| status.success())
        });
        let Some(name) = named else {
            let _ = writeln!(std::io::stderr(), "skipped: there is no chromium");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec \"$@\" 3<&0 4>&1 >/dev/null",
                "sh",
                name,
                "--remote-debugging-pipe",
                "--headless",
            ])
            .args(["--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1000,1200"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let told = child.stdin.take().unwrap();
        let heard = BufReader::new(child.stdout.take().unwrap());
        let session = String::new();
        let complaints = Vec::new();
        let mut browser = Browser { child, told, heard, complaints, session, calls: 0, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", &attach);
        browser.session = attached["sessionId"].as_str().unwrap().into();
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Calls a method and yields its result.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        self.told.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut bytes = Vec::new();
            self.heard.read_until(0, &mut bytes).unwrap();
            let Some((_, text)) = bytes.split_last() else { panic!("the browser has gone") };
            let answer: Value = serde_json::from_slice(text).unwrap();
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            let event = answer["method"].as_str().unwrap_or_default();
            if ["Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"].contains(&event) {
                self.complaints.push(answer);
            }
        }
    }

    pub fn open(&mut self, address: &str) {
        self.call("Page.navigate", &json!({"url": address}));
        self.wait_until("document.readyState === 'complete'");
    }

    /// The value of a JavaScript expression.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn wait_until(&mut self, expression: &str) {
        let start = Instant::now();
        while self.value(expression) != true {
            assert!(start.elapsed() < Duration::from_secs(60), "never: {expression}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses a key, such as `Tab`.
    pub fn press(&mut self, key: &str, code: u32, text: &str) {
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let pressed = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code, "text": text});
            self.call("Input.dispatchKeyEvent", &pressed);
        }
    }

    /// The window as a PNG.
    pub fn picture(&mut self) -> Vec<u8> {
        let picture = self.call("Page.captureScreenshot", &json!({}));
        let base64 = |letter: u8| match letter {
            b'A'..=b'Z' => u32::from(letter - b'A'),
            b'a'..=b'z' => u32::from(letter - b'a') + 26,
            b'0'..=b'9' => u32::from(letter - b'0') + 52,
            b'+' => 62,
            _ => 63,
        };
        let text = picture["data"].as_str().unwrap().trim_end_matches('=').as_bytes();
        let bytes = text.chunks(4).flat_map(|letters| {
            let word = letters.iter().fold(0, |word, &letter| word << 6 | base64(letter));
            let word = word << (6 * (4 - letters.len()));
            word.to_be_bytes()[1..letters.len()].to_vec()
        });
        bytes.collect()
    }

    /// What the page is told of the wishes of who reads it, such as `prefers-color-scheme`.
    pub fn wish(&mut self, name: &str, value: &str) {
        let media = json!({"features": [{"name": name, "value": value}]});
        self.call("Emulation.setEmulatedMedia", &media);
    }
}

/// The least contrast of a text on the page with what is behind it, by WCAG 2.
pub const CONTRAST: &str = "(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).slice(0, 3).map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (at) => {
    for (; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (parts(colour)[3] !== 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const seen = [...document.querySelectorAll('body *')].filter((at) => at.checkVisibility() && [...at.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) || ['SELECT', 'INPUT'].includes(at.tagName));
  return Math.min(...seen.map((at) => {
    const [a, b] = [light(getComputedStyle(at).color), light(behind(at))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
})()";

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
