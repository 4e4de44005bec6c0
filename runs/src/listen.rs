//! A port to listen at: one that was typed is had or refused, the usual one gives way to a free one.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener};

/// Listens at `host` and the port that was `asked` for, 0 being any free one; without one at the `usual` port
/// or, where that is taken, at a free one. Others may do the same at the same time: each gets a port.
///
/// # Errors
/// Those of the system, for a port that was asked for also that it is taken.
pub fn listen(host: IpAddr, asked: Option<u16>, usual: u16) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = match TcpListener::bind((host, asked.unwrap_or(usual))) {
        Err(error) if asked.is_none() && error.kind() == ErrorKind::AddrInUse => {
            TcpListener::bind((host, 0))?
        }
        bound => bound?,
    };
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_usual_port_gives_way_and_one_that_was_asked_for_does_not() {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (_taken, first) = listen(host, Some(0), 1).unwrap();
        let usual = first.port();
        let all: Vec<_> = (0..3).map(|_| listen(host, None, usual).unwrap()).collect();
        assert!(all.iter().all(|(_, address)| address.port() != usual && address.port() != 0));
        assert_eq!(listen(host, Some(usual), 0).unwrap_err().kind(), ErrorKind::AddrInUse);
    }
}
