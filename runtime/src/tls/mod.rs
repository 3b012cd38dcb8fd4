//! TLS for clients: certificates from files, chosen by the name that a client asks for, and replaced while the service runs.
//! Connections that are open keep the certificate with which they began.

mod certificate;
mod certificate_store;
mod handshake;
mod reload_thread;
mod validity;

pub use certificate::CertificateError;
pub(crate) use certificate_store::CertificateStore;
pub(crate) use handshake::accept;
pub(crate) use reload_thread::ReloadThread;
