//! An Engine behind TLS: its certificates, and what goes wrong with them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::transport::Obstacle;
use crate::fleet::clean;

/// Where systems keep the authorities they trust.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// The most characters of what is said of a certificate.
const TEXT: usize = 300;

/// Which certificates to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Material {
    /// Who signs the other side's certificate; the system's authorities where it is none.
    ca: Option<PathBuf>,
    /// Our own certificate and its key.
    own: Option<(PathBuf, PathBuf)>,
    /// Whether the other side's certificate is looked at.
    verify: bool,
}

impl Material {
    /// The system's authorities, and no certificate of our own.
    pub(super) const fn verifying() -> Self {
        Self {
            ca: None,
            own: None,
            verify: true,
        }
    }

    /// What a directory has under Docker's names. Without `insist` an authority that is not there is
    /// the system's.
    pub(super) fn in_directory(dir: Option<&Path>, verify: bool, insist: bool) -> Self {
        let file = |name: &str| dir.map(|dir| dir.join(name));
        let there = |path: &PathBuf| path.exists();
        let (cert, key) = (file("cert.pem"), file("key.pem"));
        let has_own = [&cert, &key].into_iter().flatten().any(there);
        Self {
            ca: file("ca.pem").filter(|path| verify && (insist || there(path))),
            own: cert.zip(key).filter(|_| has_own),
            verify,
        }
    }
}

/// A port with encryption.
pub(crate) struct Tls {
    /// `host:port`.
    pub(super) address: String,
    material: Material,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tls = formatter.debug_struct("Tls");
        tls.field("address", &self.address);
        tls.field("material", &self.material);
        tls.finish_non_exhaustive()
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        (&self.address, &self.material) == (&other.address, &other.material)
    }
}

impl Eq for Tls {}

impl Tls {
    /// Reads the certificates.
    ///
    /// # Errors
    /// Which of them cannot be used, and why.
    pub(super) fn new(address: String, material: Material) -> Result<Self, String> {
        let host = address.rsplit_once(':').map_or(&*address, |(host, _)| host);
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(bare)
            .map_err(|_| format!("`{host}` is neither a host's name nor its address"))?;
        let connector = TlsConnector::from(Arc::new(configuration(&material)?));
        Ok(Self {
            address,
            material,
            name,
            connector,
        })
    }

    /// The options by which Docker's own tool uses the same certificates.
    pub(super) fn docker_options(&self) -> Vec<String> {
        let Material { ca, own, verify } = &self.material;
        let own = own.as_ref();
        let files = [
            ("--tlscacert", ca.as_ref()),
            ("--tlscert", own.map(|(cert, _)| cert)),
            ("--tlskey", own.map(|(_, key)| key)),
        ];
        let files = files
            .iter()
            .filter_map(|(option, path)| Some(((*option).to_owned(), path.as_ref()?.display())));
        let how = if *verify { "--tlsverify" } else { "--tls" };
        std::iter::once(how.to_owned())
            .chain(files.flat_map(|(option, path)| [option, path.to_string()]))
            .collect()
    }

    /// Encrypts a connection.
    ///
    /// # Errors
    /// When the other side does not speak TLS, or one does not accept the other.
    pub(super) async fn over(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }

    /// What an error of TLS means and what to do about it; none where it is another.
    pub(super) fn obstacle(&self, error: &io::Error) -> Option<Obstacle> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        let ca = match &self.material.ca {
            Some(path) => path.display().to_string(),
            None => "the system's authorities".into(),
        };
        let (reason, hint) = if let Error::InvalidCertificate(why) = error {
            self.mistrusted(why, &ca)
        } else if let Error::AlertReceived(alert) = error {
            self.refused(*alert)
        } else if matches!(error, Error::InvalidMessage(_)) {
            (
                "it does not speak TLS".to_owned(),
                "is it the right port (2376 with TLS, 2375 without)? without TLS it is tcp://, and \
                 DOCKER_TLS_VERIFY and DOCKER_TLS unset",
            )
        } else {
            (
                format!("TLS failed: {}", clean(&error.to_string(), TEXT)),
                "look at its log (journalctl -u docker)",
            )
        };
        let hint = hint.to_owned();
        Some(Obstacle { reason, hint })
    }

    fn mistrusted(&self, why: &CertificateError, ca: &str) -> (String, &'static str) {
        use CertificateError as Why;
        let clocks = "give it a new certificate, or set the clock that is wrong, here or there";
        if let Why::ExpiredContext { not_after, .. } = why {
            return (
                format!("its certificate has expired{}", day(*not_after)),
                clocks,
            );
        }
        if matches!(why, Why::Expired) {
            return ("its certificate has expired".into(), clocks);
        }
        if matches!(why, Why::NotValidYet | Why::NotValidYetContext { .. }) {
            return ("its certificate is not valid yet".into(), clocks);
        }
        // Another authority of the same name has another key.
        if matches!(why, Why::UnknownIssuer | Why::BadSignature) {
            return (
                format!("its certificate is signed by nobody that {ca} has"),
                "ca.pem must be the authority that signed it; it is looked for in DOCKER_CERT_PATH, \
                 else in ~/.docker, or comes with the context",
            );
        }
        let names = if let Why::NotValidForNameContext { presented, .. } = why {
            presented.join(", ")
        } else if matches!(why, Why::NotValidForName) {
            String::new()
        } else {
            return (
                format!(
                    "its certificate cannot be used: {}",
                    clean(&why.to_string(), TEXT)
                ),
                "openssl x509 -noout -text shows what is in a certificate",
            );
        };
        let names = if names.is_empty() {
            "no subjectAltName at all".to_owned()
        } else {
            clean(&names, TEXT)
        };
        (
            format!(
                "its certificate is not for `{}` but has {names}",
                self.name.to_str()
            ),
            "name it as its certificate does, or give it one with this name as subjectAltName",
        )
    }

    fn refused(&self, alert: AlertDescription) -> (String, &'static str) {
        match &self.material.own {
            None => (
                "it wants a certificate of ours, and there is none".to_owned(),
                "put cert.pem and key.pem into DOCKER_CERT_PATH (else ~/.docker), or make a context \
                 that has them",
            ),
            Some((cert, _)) => (
                format!("it refuses {}: {}", cert.display(), words(alert)),
                "the certificate must be valid, for clients, and signed by the authority that the \
                 Engine was given as --tlscacert",
            ),
        }
    }
}

/// What an alert means, where that can be said better than by its name.
fn words(alert: AlertDescription) -> String {
    const KNOWN: [(AlertDescription, &str); 4] = [
        (AlertDescription::CertificateExpired, "it has expired"),
        (
            AlertDescription::UnknownCA,
            "it does not know who signed it",
        ),
        (AlertDescription::CertificateRevoked, "it was revoked"),
        (AlertDescription::BadCertificate, "it is no good"),
    ];
    let known = KNOWN.iter().find(|(known, _)| *known == alert);
    known.map_or_else(|| format!("{alert:?}"), |(_, words)| (*words).to_owned())
}

fn day(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map(|time| format!(" ({time})"))
        .unwrap_or_default()
}

fn configuration(material: &Material) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if material.verify {
        builder.with_root_certificates(authorities(material.ca.as_deref())?)
    } else {
        let anybody = Arc::new(Anybody { provider });
        builder
            .dangerous()
            .with_custom_certificate_verifier(anybody)
    };
    let Some((cert, key)) = &material.own else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(cert)?;
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?)
        .map_err(|_| format!("{} has no private key without a passphrase", key.display()))?;
    builder
        .with_client_auth_cert(chain, private)
        .map_err(|error| {
            let (cert, key) = (cert.display(), key.display());
            if matches!(error, Error::InconsistentKeys(_)) {
                format!("{key} is not the key of {cert}")
            } else {
                format!("cannot use {cert} with {key}: {error}")
            }
        })
}

fn authorities(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    if let Some(path) = ca {
        for certificate in certificates(path)? {
            store
                .add(certificate)
                .map_err(|error| format!("{} cannot be an authority: {error}", path.display()))?;
        }
    } else {
        let bundle = SYSTEM.iter().map(Path::new).find(|path| path.exists());
        let bundle = bundle.ok_or("there is no ca.pem, and this system has no authorities")?;
        // Odd ones among the system's are nobody's fault here.
        store.add_parsable_certificates(certificates(bundle)?);
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes(path)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(format!("{} has no certificate in PEM", path.display())),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Takes everybody for who they say they are, as is asked for by `SkipTLSVerify` and `DOCKER_TLS`.
/// That what is said comes from one and the same is still checked.
#[derive(Debug)]
struct Anybody {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
