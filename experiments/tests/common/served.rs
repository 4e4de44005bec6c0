//! `serve`, running.
#![allow(unreachable_pub, clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Place, TINY};

/// A server in a place, which ends with it.
pub struct Served {
    pub place: Place,
    pub child: Option<Child>,
    /// Host and port.
    pub address: String,
}

impl Served {
    pub fn start() -> Served {
        let place = Place::new();
        place.ok(&format!("gardener --seed 1 --generations 20 --out runs/many/garden {TINY}"));
        place.ok("record k8s --steps 3 --seed 1 --out runs/trace");
        let mut child = place.command("serve --port 0 --quiet").spawn().unwrap();
        let url = first_line(&mut child);
        let address = url.strip_prefix("http://").and_then(|url| url.strip_suffix('/')).unwrap();
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        Served { place, child: Some(child), address: address.to_owned() }
    }

    pub fn request(&self, path: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").unwrap();
        stream
    }

    /// Status, head in small letters, and body.
    pub fn get_for(&self, host: &str, path: &str) -> (u16, String, String) {
        let mut answer = String::new();
        self.request(path, &format!("Host: {host}\r\n")).read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head["HTTP/1.1 ".len()..][..3].parse().unwrap(), head.to_lowercase(), body.to_owned())
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        let (status, _, body) = self.get_for(&self.address, path);
        (status, body)
    }

    /// The first scenes, or other data, of a stream.
    pub fn scenes(&self, path: &str, headers: &str, count: usize) -> Vec<Value> {
        let stream = self.request(path, &format!("Host: {}\r\n{headers}", self.address));
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let data = lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned));
        data.take(count).map(|data| serde_json::from_str(&data).unwrap()).collect()
    }

    /// Sockets that the server has open.
    pub fn sockets(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.as_ref().unwrap().id())).unwrap();
        let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
    }
}

/// What it prints first: its address.
pub fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
