//! Over real sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use super::*;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(600);

fn start(stalled_after: Duration) -> Monitor {
    Monitor::start_with(HOST, [Some(0); 2], stalled_after).unwrap()
}

fn at_step(training_step: u64) -> Snapshot {
    Snapshot { training_step, learning_rate: Some(0.25), ..Snapshot::default() }
}

/// Status, head and body of the answer.
fn request(address: SocketAddr, method: &str, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

#[test]
fn both_ports_serve_all_three_paths() {
    let monitor = start(LONG);
    monitor.publish(at_step(12));
    for address in monitor.addresses() {
        assert!(address.ip().is_loopback() && address.port() != 0);
        let (status, head, body) = request(address, "GET", "/metrics");
        assert_eq!(status, 200);
        let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
        assert!(head.contains(kind), "{head}");
        assert!(body.contains("prophet_training_step_total 12\n"), "{body}");
        assert!(body.contains("prophet_learning_rate 0.25\n") && body.ends_with("# EOF\n"), "{body}");
        assert_eq!(request(address, "GET", "/healthz").0, 200);
        assert_eq!(request(address, "GET", "/readyz").0, 200);
        assert_eq!(request(address, "GET", "/").0, 404);
        assert_eq!(request(address, "POST", "/metrics").0, 405);
    }
}

#[test]
fn it_is_healthy_at_once_and_ready_after_the_first_step() {
    let monitor = start(LONG);
    let address = monitor.addresses()[1];
    assert_eq!(request(address, "GET", "/healthz").0, 200);
    let (status, _, body) = request(address, "GET", "/readyz");
    assert_eq!((status, &*body), (503, "no training step yet\n"));
    // Nothing is counted before it is known what was counted already.
    assert_eq!(request(address, "GET", "/metrics").2, "# EOF\n");
    monitor.begin(at_step(0));
    assert!(request(address, "GET", "/metrics").2.contains("prophet_training_step_total 0\n"));
    assert_eq!(request(address, "GET", "/readyz").0, 503);
    monitor.publish(at_step(1));
    let (status, _, body) = request(address, "GET", "/readyz");
    assert_eq!((status, &*body), (200, "ready, at step 1\n"));
}

#[test]
fn a_stalled_training_is_not_ready_until_it_steps_again() {
    // The clock runs only one way: with no patience at all every training has stalled.
    let monitor = start(Duration::ZERO);
    monitor.publish(at_step(5));
    let address = monitor.addresses()[0];
    let (status, _, body) = request(address, "GET", "/readyz");
    assert_eq!((status, &*body), (503, "no training step for 0 s, after step 5\n"));
    assert_eq!(request(address, "GET", "/healthz").0, 200);

    let patience = Duration::from_secs(10);
    let monitor = start(patience);
    monitor.publish(at_step(5));
    monitor.shared.latest.lock().unwrap().stepped = Instant::now().checked_sub(patience).unwrap();
    let address = monitor.addresses()[0];
    // Publishing is not stepping.
    monitor.publish(at_step(5));
    assert_eq!(request(address, "GET", "/readyz").0, 503);
    monitor.publish(at_step(6));
    assert_eq!(request(address, "GET", "/readyz").0, 200);
}

#[test]
fn a_taken_port_is_refused_with_what_to_do() {
    let taken = TcpListener::bind((HOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    for (ports, option) in [((port, 0), "--metrics-port"), ((0, port), "--health-port")] {
        let refused = Monitor::start(HOST, Some(ports.0), Some(ports.1)).err().unwrap();
        let text = refused.to_string();
        assert!(refused.is_refusal());
        assert!(text.contains(&format!("127.0.0.1:{port}")) && text.contains(option), "{text}");
        assert!(text.contains("--no-monitor"), "{text}");
    }
}

#[test]
fn one_port_may_serve_both() {
    let free = TcpListener::bind((HOST, 0)).unwrap().local_addr().unwrap().port();
    let monitor = Monitor::start(HOST, Some(free), Some(free)).unwrap();
    let [metrics, health] = monitor.addresses();
    assert_eq!((metrics, metrics.port()), (health, free));
    monitor.publish(at_step(12));
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(request(metrics, "GET", path).0, 200, "{path}");
    }
    // Two that are drawn are two.
    let monitor = start(LONG);
    assert_ne!(monitor.addresses()[0], monitor.addresses()[1]);
}

#[test]
fn a_host_of_another_machine_is_refused() {
    let refused = Monitor::start(IpAddr::from([192, 0, 2, 1]), Some(0), Some(0)).err().unwrap();
    assert!(refused.is_refusal());
    assert!(refused.to_string().contains("--monitor-host"), "{refused}");
}

#[test]
fn dropped_it_stops_at_once_even_with_a_caller_on_the_line() {
    let monitor = start(LONG);
    let [address, _] = monitor.addresses();
    // Connected, half asked, kept open.
    let mut idle = TcpStream::connect(address).unwrap();
    write!(idle, "GET /metrics HT").unwrap();
    assert_eq!(request(address, "GET", "/healthz").0, 200);
    drop(monitor);
    let free = TcpListener::bind(address);
    assert!(free.is_ok() || TcpStream::connect(address).is_err(), "{free:?}");
}

#[test]
fn publishing_goes_on_while_it_is_read() {
    let monitor = start(LONG);
    let [address, _] = monitor.addresses();
    std::thread::scope(|scope| {
        let reader =
            scope.spawn(|| (0..20).map(|_| request(address, "GET", "/metrics").0).collect::<Vec<_>>());
        let mut step = 0;
        while !reader.is_finished() {
            step += 1;
            monitor.publish(at_step(step));
        }
        assert_eq!(reader.join().unwrap(), [200; 20]);
    });
    // A reader that stands in the way is not waited for.
    let reading = monitor.shared.latest.lock().unwrap();
    monitor.publish(at_step(0));
    assert_ne!(reading.snapshot.unwrap().training_step, 0);
}
