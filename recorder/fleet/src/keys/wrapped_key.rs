//! A data key, wrapped for the holder of a private key by HPKE (RFC 9180): X25519, HKDF-SHA256 and ChaCha20-Poly1305.
//!
//! | bytes | contents |
//! |---|---|
//! | 1 | version, 1 |
//! | 8 | id of the data key |
//! | 8 | id of the public key |
//! | 32 | encapsulated key |
//! | 48 | the data key, encrypted, with its tag; the first 17 bytes are associated data |

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{
    Deserializable as _, HpkeError, Kem, OpModeR, OpModeS, Serializable as _, single_shot_open,
    single_shot_seal,
};
use zerver_recorder::DataKey;

use crate::keys::hex;
use crate::keys::pair::{KeyId, PrivateKey, PublicKey};

const VERSION: u8 = 1;
const HEAD: usize = 17;
const ENCAPSULATED: usize = 32;
const LEN: usize = HEAD + ENCAPSULATED + 48;
/// Binds what is wrapped to its purpose.
const INFO: &[u8] = b"zerver fleet data key 1";

/// A wrapped data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrappedKey([u8; LEN]);

impl WrappedKey {
    /// Wraps a data key. Fails if the system has no random numbers.
    pub(crate) fn new(key: &DataKey, to: &PublicKey) -> Result<Self, HpkeError> {
        let mut bytes = [0; LEN];
        bytes[0] = VERSION;
        bytes[1..9].copy_from_slice(&key.id());
        bytes[9..HEAD].copy_from_slice(&to.id().0);
        let (encapsulated, sealed) = single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &to.half,
            INFO,
            key.bytes(),
            &bytes[..HEAD],
        )?;
        bytes[HEAD..HEAD + ENCAPSULATED].copy_from_slice(&encapsulated.to_bytes());
        bytes[HEAD + ENCAPSULATED..].copy_from_slice(&sealed);
        Ok(Self(bytes))
    }

    /// Reads a wrapped key. `None` if the bytes are not one, or one of a later version.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; LEN] = bytes.try_into().ok()?;
        (bytes[0] == VERSION).then_some(Self(bytes))
    }

    pub(crate) const fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the id of the data key.
    pub(crate) fn id(&self) -> KeyId {
        self.id_at(1)
    }

    /// Returns the id of the public key for which it is wrapped.
    pub(crate) fn wrapped_for(&self) -> KeyId {
        self.id_at(9)
    }

    fn id_at(&self, at: usize) -> KeyId {
        let mut id = [0; 8];
        id.copy_from_slice(&self.0[at..at + 8]);
        KeyId(id)
    }

    /// Unwraps the key. `None` if it was wrapped for another key, or changed.
    pub(crate) fn open(&self, with: &PrivateKey) -> Option<DataKey> {
        let (head, rest) = self.0.split_at(HEAD);
        let (encapsulated, sealed) = rest.split_at(ENCAPSULATED);
        let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
        let plain = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &with.half,
            &encapsulated,
            INFO,
            sealed,
            head,
        );
        self.check(&plain.ok()?)
    }

    /// Returns the data key with these bytes, if it is the one that was wrapped.
    pub(crate) fn check(&self, plain: &[u8]) -> Option<DataKey> {
        let key = DataKey::new(plain.try_into().ok()?);
        (key.id() == self.id().0).then_some(key)
    }

    /// Returns the key as a command gets it: a line of hexadecimal digits.
    pub(crate) fn to_line(&self) -> String {
        format!("{}\n", hex::encode(&self.0))
    }

    /// Reads such a line.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        Self::read(&hex::decode(line.trim())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_private_half_opens_a_wrapped_key_and_every_changed_bit_is_noticed() {
        let (key, pair) = (DataKey::new([7; 32]), PrivateKey::random().unwrap());
        let wrapped = WrappedKey::new(&key, pair.public()).unwrap();
        assert_eq!((wrapped.id().0, wrapped.wrapped_for()), (key.id(), pair.public().id()));
        assert_eq!(wrapped.open(&pair).unwrap().bytes(), key.bytes());
        assert!(wrapped.open(&PrivateKey::random().unwrap()).is_none());
        assert_ne!(WrappedKey::new(&key, pair.public()).unwrap(), wrapped, "each time another one");
        for bit in 0..LEN * 8 {
            let mut bytes = wrapped.bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(WrappedKey::read(&bytes).and_then(|changed| changed.open(&pair)).is_none(), "{bit}");
        }
        assert_eq!(WrappedKey::from_line(&wrapped.to_line()).unwrap(), wrapped);
        assert!(WrappedKey::read(&wrapped.bytes()[1..]).is_none() && WrappedKey::from_line("01zz").is_none());
    }
}
