//! Requests as the stock server reads them.

use std::io::{self, Read};
use std::net::TcpStream;

pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: Vec<u8>,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn path(&self) -> &str {
        let end = self
            .target
            .iter()
            .position(|byte| *byte == b'?')
            .unwrap_or(self.target.len());
        std::str::from_utf8(&self.target[..end]).unwrap_or("")
    }

    /// The name of a sign-in: what follows the question mark.
    pub(super) fn name(&self) -> Vec<u8> {
        let start = self
            .target
            .iter()
            .position(|byte| *byte == b'?')
            .map_or(self.target.len(), |at| at + 1);
        let mut name = Vec::new();
        let mut rest = self.target[start..].iter().copied();
        while let Some(byte) = rest.next() {
            name.push(match byte {
                b'%' => {
                    let digits: Vec<u8> = rest.by_ref().take(2).collect();
                    let digits = std::str::from_utf8(&digits).unwrap_or("");
                    match u8::from_str_radix(digits, 16).unwrap_or(b'%') {
                        b',' => b'_',
                        other => other,
                    }
                }
                b'+' => b' ',
                b',' => b'_',
                other => other,
            });
        }
        name.truncate(512);
        name
    }
}

/// The number that follows `key` in the target's query.
pub(super) fn query(target: &[u8], key: &str) -> Option<u64> {
    let target = std::str::from_utf8(target).ok()?;
    let (_, query) = target.split_once('?')?;
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(key))?
        .parse()
        .ok()
}

/// Reads a request; the inner error says why the stock server would drop it without an answer.
pub(super) fn read_request(stream: &mut TcpStream) -> io::Result<Result<Request, String>> {
    let mut data = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        if let Some(end) = data.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let count = stream.read(&mut buffer)?;
        if count == 0 && data.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into()); // thought better of it
        }
        if count == 0 {
            return Ok(Err("closed before the end of the headers".to_owned()));
        }
        data.extend_from_slice(&buffer[..count]);
    };
    let head = &data[..end + 2];
    let mut words = head.split(|byte| *byte == b' ');
    let method = String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
    // A name with a space in it ends there.
    let target = words.next().unwrap_or_default().to_vec();
    let mut request = Request {
        method,
        target,
        content_type: String::new(),
        body: data[end + 4..].to_vec(),
    };
    if request.method == "POST" {
        let head = String::from_utf8_lossy(head).into_owned();
        let length = find(&head, "Content-Length")
            .and_then(|value| value.parse::<usize>().ok())
            .unwrap_or(0);
        let Some(content_type) = find(&head, "Content-Type").filter(|_| length > 0) else {
            return Ok(Err(format!(
                "no Content-Length above 0, or no Content-Type: {head:?}"
            )));
        };
        request.content_type = content_type.to_owned();
        while request.body.len() < length {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Ok(Err("closed before the end of the body".to_owned()));
            }
            request.body.extend_from_slice(&buffer[..count]);
        }
        request.body.truncate(length);
    }
    Ok(Ok(request))
}

fn find<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n")
        .skip(1)
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
