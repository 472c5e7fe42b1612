//! Whose certificate is trusted.

use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error as RustlsError, OtherError, RootCertStore,
    SignatureScheme,
};

use super::tls::refused;
use crate::endpoint::{Encryption, Endpoint, Trust, shown_path};
use crate::error::{ErrorKind, Result, SqlServerError};

/// Most bytes of the user's file of certificates; those of a whole operating system have 250 KiB.
const MAX_CERTIFICATES: u64 = 4 << 20;

/// What checks the server's certificate.
///
/// # Errors
/// [`ErrorKind::Tls`] where the user's certificate cannot be read, or there is nobody to trust.
pub(super) fn verifier(
    endpoint: &Endpoint,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>> {
    let unverified = match (&endpoint.trust, endpoint.encryption) {
        (Trust::Authority(_), _) => false,
        (Trust::Anyone, _) | (Trust::System, Encryption::LoginOnly | Encryption::Off) => true,
        (Trust::System, Encryption::On | Encryption::Strict) => false,
    };
    if unverified {
        return Ok(Arc::new(AnyCertificate(provider)));
    }
    let own = own(endpoint)?;
    let authorities = Arc::new(authorities(endpoint, &own)?);
    let by_authority = WebPkiServerVerifier::builder_with_provider(authorities, provider)
        .build()
        .map_err(|error| refused(endpoint, &error.to_string()))?;
    Ok(Arc::new(KnownCertificate { by_authority, own }))
}

/// The authorities of the operating system and the user's own.
fn authorities(endpoint: &Endpoint, own: &[CertificateDer<'static>]) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::debug!(%error, "an authority of the operating system cannot be read");
    }
    store.add_parsable_certificates(native.certs);
    for certificate in own {
        store
            .add(certificate.clone())
            .map_err(|error| unreadable(endpoint, &error.to_string()))?;
    }
    if store.is_empty() {
        return Err(refused(
            endpoint,
            "the operating system has no certificate authorities",
        ));
    }
    Ok(store)
}

/// The certificates of the file that the user names; none where none is named.
fn own(endpoint: &Endpoint) -> Result<Vec<CertificateDer<'static>>> {
    let Trust::Authority(file) = &endpoint.trust else {
        return Ok(Vec::new());
    };
    let bytes = icehost_untrusted::read(file, MAX_CERTIFICATES)
        .map_err(|error| unreadable(endpoint, &error.to_string()))?;
    let certificates = match bytes.starts_with(&[0x30]) {
        true => vec![CertificateDer::from(bytes)],
        false => CertificateDer::pem_slice_iter(&bytes)
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|error| unreadable(endpoint, &error.to_string()))?,
    };
    if certificates.is_empty() {
        return Err(unreadable(endpoint, "there is no certificate in it"));
    }
    Ok(certificates)
}

fn unreadable(endpoint: &Endpoint, why: &str) -> SqlServerError {
    let file = match &endpoint.trust {
        Trust::Authority(file) => shown_path(file),
        _ => String::new(),
    };
    SqlServerError::new(
        ErrorKind::Tls,
        format!("the certificate file {file} cannot be read: {why}"),
    )
    .with_hint(
        "certificate=FILE wants the server's certificate or its authority's, in PEM or DER form",
    )
}

/// Trusts whom an authority vouches for, and a server that shows the very certificate that the user names.
#[derive(Debug)]
struct KnownCertificate {
    by_authority: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for KnownCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, RustlsError> {
        let verified = self.by_authority.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            // `openssl req -x509` makes certificates that are their own authority, which no server's may be
            // (RFC 5280, 4.2.1.9). This comes after its dates were found to be right, and before its name.
            Err(RustlsError::InvalidCertificate(CertificateError::Other(why)))
                if is_authority(&why) && self.own.iter().any(|own| own == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, RustlsError> {
        self.by_authority
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, RustlsError> {
        self.by_authority
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authority.supported_verify_schemes()
    }
}

fn is_authority(why: &OtherError) -> bool {
    matches!(why.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Trusts whoever answers.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, RustlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, RustlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, RustlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
