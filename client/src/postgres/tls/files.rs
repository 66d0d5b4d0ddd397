//! TLS files in PEM: root certificates, a client's certificate and its key.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};

use super::Root;
use crate::store::StoreError;

/// The certificates to trust.
pub(super) fn roots(root: &Root) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    match root {
        Root::File(path) => certificates("sslrootcert", path),
        Root::System => {
            let found = rustls_native_certs::load_native_certs();
            match found.errors.into_iter().next() {
                // Some unreadable certificates do not matter if others can be read.
                Some(error) if found.certs.is_empty() => Err(malformed("sslrootcert", error)),
                _ => Ok(found.certs),
            }
        }
    }
}

/// A certificate, followed by those that lead to its root.
pub(super) fn certificates(
    parameter: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|found| {
            if found.is_empty() {
                Err(pem::Error::NoItemsFound)
            } else {
                Ok(found)
            }
        });
    certificates.map_err(|error| unreadable(parameter, path, error))
}

pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, StoreError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| unreadable("sslkey", path, error))
}

/// A parameter that cannot be used.
pub(super) fn malformed(
    parameter: &'static str,
    reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::malformed(parameter, None, reason)
}

#[derive(Debug, thiserror::Error)]
#[error("cannot use the file {path}")]
struct Unreadable {
    path: String,
    source: pem::Error,
}

fn unreadable(parameter: &'static str, path: &Path, source: pem::Error) -> StoreError {
    let path = path.display().to_string();
    malformed(parameter, Unreadable { path, source })
}
