//! [`Verifier`]: decides whether to trust the server's certificate.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Trusts any certificate, or those issued by its roots, optionally only for the host. It always
/// checks that the server has the certificate's key.
#[derive(Debug)]
pub(super) struct Verifier {
    roots: Option<Roots>,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
struct Roots {
    certificates: Vec<CertificateDer<'static>>,
    anchors: RootCertStore,
    and_the_name: bool,
}

impl Verifier {
    pub(super) fn new(
        crypto: &Arc<CryptoProvider>,
        roots: Option<Vec<CertificateDer<'static>>>,
        and_the_name: bool,
    ) -> Self {
        let roots = roots.map(|certificates| {
            let mut anchors = RootCertStore::empty();
            anchors.add_parsable_certificates(certificates.iter().cloned());
            Roots {
                certificates,
                anchors,
                and_the_name,
            }
        });
        Self {
            roots,
            algorithms: crypto.signature_verification_algorithms,
        }
    }
}

impl Roots {
    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let issued = verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.anchors,
            between,
            now,
            algorithms.all,
        );
        match issued {
            // The trusted certificate may be the server's own, and such a certificate may claim to
            // be an authority. rustls rejects that in a server, but only after it has checked the
            // dates.
            Err(error) if is_of_dates(&error) || !self.certificates.contains(certificate) => {
                return Err(error);
            }
            _ => {}
        }
        if self.and_the_name {
            verify_server_name(&parsed, name)?;
        }
        Ok(())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            roots.verify(certificate, between, name, now, &self.algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn is_of_dates(error: &Error) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(
        error,
        Error::InvalidCertificate(
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. }
        )
    )
}
