//! Keys as cosign has them: ECDSA on P-256, in PEM.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

use crate::Digest;
use crate::error::{ErrorKind, RegistryError, Result};

/// What stands before the point in the DER of a public key: algorithm and curve, an uncompressed point.
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const POINT: usize = 65;

/// A public key that signatures are checked with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey([u8; POINT]);

impl PublicKey {
    /// Reads a key of the form `-----BEGIN PUBLIC KEY-----`; `what` names it in messages.
    ///
    /// # Errors
    /// Text that is none, and keys of another kind.
    pub fn from_pem(what: &str, pem: &[u8]) -> Result<PublicKey> {
        let wrong = |why: &str| {
            RegistryError::new(ErrorKind::Usage, format!("{what} is no public key: {why}")).with_hint(
                "it is a PEM file with an ECDSA key on P-256, as 'cosign generate-key-pair' and \
                 'openssl ec -pubout' write it",
            )
        };
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem)
            .map_err(|_| wrong("it has no section PUBLIC KEY"))?;
        let point = der
            .strip_prefix(&SPKI_P256)
            .and_then(|point| <[u8; POINT]>::try_from(point).ok())
            .filter(|point| point[0] == 4)
            .ok_or_else(|| wrong("it is not an ECDSA key on P-256"))?;
        Ok(PublicKey(point))
    }

    /// What tells the key from others: the SHA-256 of its DER, as `openssl pkey -pubin -outform der |
    /// sha256sum` prints it.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&[SPKI_P256.as_slice(), &self.0].concat())
    }

    /// Whether a signature of this message was made with the key's other half.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.0);
        key.verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

/// A private key. `Debug` shows its public half.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// Reads a key of the form `-----BEGIN PRIVATE KEY-----` (PKCS#8, not encrypted); `what` names it in
    /// messages, which never quote it.
    ///
    /// # Errors
    /// Text that is none, and keys of another kind.
    pub fn from_pem(what: &str, pem: &[u8]) -> Result<SigningKey> {
        let wrong = |why: &str, hint: &str| {
            let message = format!("{what} is no key to sign with: {why}");
            RegistryError::new(ErrorKind::Usage, message).with_hint(hint)
        };
        const MAKE: &str = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY.pem \
                            makes one";
        let text = String::from_utf8_lossy(pem);
        if text.contains("-----BEGIN ENCRYPTED ") {
            return Err(wrong(
                "it is encrypted",
                "sign with 'cosign sign --key', which knows the password, or give a key that is not encrypted",
            ));
        }
        if text.contains("-----BEGIN EC PRIVATE KEY-----") {
            return Err(wrong(
                "it is not in PKCS#8",
                "openssl pkcs8 -topk8 -nocrypt -in KEY.pem turns it into what is wanted",
            ));
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem)
            .map_err(|_| wrong("it has no section PRIVATE KEY", MAKE))?;
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair =
            EcdsaKeyPair::from_pkcs8(algorithm, der.secret_pkcs8_der(), &SystemRandom::new())
                .map_err(|_| wrong("it is not an ECDSA key on P-256 with its public half", MAKE))?;
        let public = <[u8; POINT]>::try_from(pair.public_key().as_ref())
            .map_err(|_| wrong("its public half is none", MAKE))?;
        Ok(SigningKey {
            pair,
            public: PublicKey(public),
        })
    }

    /// What its signatures are checked with.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let signed = self.pair.sign(&SystemRandom::new(), message);
        signed
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| {
                RegistryError::new(
                    ErrorKind::Usage,
                    "cannot sign: this system gives no random numbers",
                )
            })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.public)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;

    use super::*;

    /// Made by `openssl pkey -pubout`; its other half is gone.
    pub(crate) const PUBLIC: &str = include_str!("../tests/keys/public.pem");

    /// A new private key, as PEM.
    pub(crate) fn private() -> String {
        let key =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let base64 = BASE64.encode(key.unwrap().as_ref());
        format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n")
    }

    #[test]
    fn what_one_half_signs_the_other_verifies() {
        let private = SigningKey::from_pem("a", private().as_bytes()).unwrap();
        let signature = private.sign(b"message").unwrap();
        let public = private.public();
        assert!(public.verifies(b"message", &signature));
        assert!(!public.verifies(b"massage", &signature));
        assert!(!public.verifies(b"message", &signature[1..]));
        assert!(!public.verifies(b"message", b""));
    }

    #[test]
    fn keys_and_signatures_of_openssl_are_understood() {
        let public = PublicKey::from_pem("b", PUBLIC.as_bytes()).unwrap();
        // As openssl pkey -pubin -outform der | sha256sum prints it.
        assert_eq!(
            public.fingerprint().to_string(),
            include_str!("../tests/keys/fingerprint").trim()
        );
        // openssl dgst -sha256 -sign.
        assert!(public.verifies(b"message", include_bytes!("../tests/keys/message.sig")));
    }

    #[test]
    fn what_is_no_key_is_told_by_what_it_is() {
        for (pem, why) in [
            ("", "no section PUBLIC KEY"),
            (&private(), "no section PUBLIC KEY"),
            (
                include_str!("../tests/keys/p384.pem"),
                "not an ECDSA key on P-256",
            ),
        ] {
            let error = PublicKey::from_pem("k.pem", pem.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with("k.pem is no public key: "));
            assert!(error.to_string().contains(why), "{error}");
        }
        for (pem, why) in [
            ("", "no section PRIVATE KEY"),
            (PUBLIC, "no section PRIVATE KEY"),
            (
                "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----",
                "encrypted",
            ),
            ("-----BEGIN EC PRIVATE KEY-----", "PKCS#8"),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "not an ECDSA key",
            ),
        ] {
            let error = SigningKey::from_pem("k.pem", pem.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert!(error.hint().is_some());
        }
    }
}
