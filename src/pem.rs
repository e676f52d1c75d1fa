//! Writing PEM (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Letters in a line (RFC 7468 §2).
const LINE: usize = 64;

/// The text of `der` between the lines that say what it is. It is wiped after use, as it may be a
/// private key.
pub(crate) fn encode(what: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut pem = Zeroizing::new(format!("-----BEGIN {what}-----\n"));
    // Growing would leave a part of the key behind.
    pem.reserve_exact(body.len() + body.len() / LINE + what.len() + 32);
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem.push_str("-----END ");
    pem.push_str(what);
    pem.push_str("-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn what_is_written_is_read_again_in_short_lines() {
        for length in [0, 1, 47, 48, 49, 1000] {
            let der: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            let pem = encode("CERTIFICATE", &der);
            assert!(pem.lines().all(|line| !line.is_empty() && line.len() <= LINE), "{length}");
            assert_eq!(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().as_ref(), der);
        }
    }

    #[test]
    fn the_text_does_not_move_while_it_grows() {
        for length in [0, 48, 10_000] {
            let pem = encode("PRIVATE KEY", &vec![7; length]);
            assert!(pem.capacity() >= pem.len() && pem.capacity() <= pem.len() + 64, "{length}");
        }
    }
}
