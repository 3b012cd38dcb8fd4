//! A pair of keys (X25519): everyone may have the public half, and only the private half opens what is wrapped for it.

use std::fmt;
use std::str::FromStr;

use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, Serializable as _};

use crate::keys::hex;

type PrivateHalf = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicHalf = <X25519HkdfSha256 as Kem>::PublicKey;

/// Id of a key, which does not reveal it. Displayed as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl FromStr for KeyId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        hex::decode(text).and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(())
    }
}

/// The public half of a pair.
#[derive(Clone)]
pub(crate) struct PublicKey {
    pub(super) half: PublicHalf,
    bytes: [u8; 32],
}

impl PublicKey {
    /// Returns the key with these bytes. `None` if they are not those of a key.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 32] = bytes.try_into().ok()?;
        Some(Self { half: PublicHalf::from_bytes(&bytes).ok()?, bytes })
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    pub(crate) fn id(&self) -> KeyId {
        let hash = blake3::derive_key("zerver 2026-12 fleet key id", &self.bytes);
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        KeyId(id)
    }
}

/// The private half of a pair, with the public one.
#[derive(Clone)]
pub(crate) struct PrivateKey {
    pub(super) half: PrivateHalf,
    public: PublicKey,
}

impl PrivateKey {
    /// Makes a pair.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let (half, public) = X25519HkdfSha256::derive_keypair(&seed);
        let bytes: [u8; 32] = public.to_bytes().into();
        Ok(Self { half, public: PublicKey { half: public, bytes } })
    }

    /// Returns the key with these bytes. `None` if they are not those of a key.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let half = PrivateHalf::from_bytes(bytes).ok()?;
        let public = PublicKey::new(&X25519HkdfSha256::sk_to_pk(&half).to_bytes())?;
        Some(Self { half, public })
    }

    pub(crate) fn bytes(&self) -> [u8; 32] {
        self.half.to_bytes().into()
    }

    pub(crate) const fn public(&self) -> &PublicKey {
        &self.public
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKey").field(&self.public.id()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_does_not_show_itself() {
        let key = PrivateKey::random().unwrap();
        let again = PrivateKey::new(&key.bytes()).unwrap();
        assert_eq!(again.public().bytes(), key.public().bytes());
        assert!(!format!("{key:?}").contains(&hex::encode(&key.bytes())));
        let id = key.public().id();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(PrivateKey::new(&[1; 31]).is_none() && PublicKey::new(&[1; 33]).is_none());
        assert_ne!(PrivateKey::random().unwrap().public().id(), id);
    }
}
