//! Whom a client trusts.

use std::fmt::Display;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore, crypto};

use crate::problem::Problem;

/// The certificates that a server's must be signed by.
pub(super) type Roots = RootCertStore;

/// The certificates that the system trusts, or Mozilla's where the system has none.
pub(super) fn roots() -> Result<Roots, Problem> {
    let found = rustls_native_certs::load_native_certs();
    roots_of(found.certs, found.errors.first())
}

fn roots_of(found: Vec<CertificateDer<'_>>, error: Option<&impl Display>) -> Result<Roots, Problem> {
    let mut roots = RootCertStore::empty();
    // A store may hold a few that rustls can't read; the others do their work.
    roots.add_parsable_certificates(found);
    if roots.is_empty() {
        // A file that was named and can't be read is not quietly replaced: it was named to trust nobody else.
        if let Some(error) = error {
            return Err(Problem::new(format!("the certificates that servers are checked with can't be read: {error}"))
                .help("correct SSL_CERT_FILE and SSL_CERT_DIR, or unset them"));
        }
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(roots)
}

/// TLS as a client, with ring, as announces to https trackers use it: one implementation in the binary.
pub(super) fn config(roots: Roots) -> Result<ClientConfig, Problem> {
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Problem::new(format!("TLS can't be set up: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mozillas_roots_stand_in_for_a_store_that_is_not_there_and_for_no_broken_one() {
        let none: Option<&str> = None;
        let garbage = || vec![CertificateDer::from(vec![1, 2, 3])];
        assert_eq!(roots_of(Vec::new(), none.as_ref()).expect("roots").len(), webpki_roots::TLS_SERVER_ROOTS.len());
        assert_eq!(roots_of(garbage(), none.as_ref()).expect("roots").len(), webpki_roots::TLS_SERVER_ROOTS.len());
        let problem = roots_of(garbage(), Some(&"ca.pem: no such file")).expect_err("nobody to trust");
        assert_eq!(
            problem.message(),
            "the certificates that servers are checked with can't be read: ca.pem: no such file"
        );
    }
}
