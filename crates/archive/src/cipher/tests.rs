#![expect(clippy::unwrap_used)]

use super::*;

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                     30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
const COUNTER: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

/// NIST SP 800-38A, F.5.1, F.5.3 and F.5.5.
const VECTORS: [(&str, &str); 3] = [
    (
        "2b7e151628aed2a6abf7158809cf4f3c",
        "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff\
         5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
    ),
    (
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
        "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94\
         1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050",
    ),
    (
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5\
         2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
    ),
];

fn encrypt(key: &EncryptionKey, iv: Iv, plain: &[u8], step: usize) -> Vec<u8> {
    let mut writer = CipherWriter::new(Vec::new(), Some((key, iv))).unwrap();
    for part in plain.chunks(step) {
        writer.write_all(part).unwrap();
    }
    writer.into_inner()
}

#[test]
fn the_vectors_of_nist_come_out_behind_the_counter_in_clear() {
    for (key, cipher) in VECTORS {
        let key = EncryptionKey::new(&hex(key)).unwrap();
        let iv = Iv(hex(COUNTER).try_into().unwrap());
        let expected = [hex(COUNTER), hex(cipher)].concat();
        for step in [1, 7, 16, 64] {
            assert_eq!(encrypt(&key, iv, &hex(PLAIN), step), expected);
        }
        let mut plain = Vec::new();
        CipherReader::new(&expected[..], Some(&key)).unwrap().read_to_end(&mut plain).unwrap();
        assert_eq!(plain, hex(PLAIN));
    }
}

#[test]
fn the_whole_counter_is_counted_and_wraps() {
    let key = EncryptionKey::new(&[3; 16]).unwrap();
    let last = encrypt(&key, Iv([0xff; 16]), &[0; 32], 32);
    let first = encrypt(&key, Iv([0; 16]), &[0; 16], 16);
    assert_eq!(last[32..48], first[16..32]);
}

#[test]
fn keys_of_other_lengths_are_refused_and_a_newline_is_named() {
    for (len, newline) in [(0, false), (15, true), (17, false), (33, false), (64, true)] {
        let mut bytes = vec![b'x'; len];
        if newline {
            bytes[len - 1] = b'\n';
        }
        let err = EncryptionKey::new(&bytes).unwrap_err();
        assert_eq!(err.to_string(), format!("an encryption key has 16, 24 or 32 bytes, this one has {len}"));
    }
    for len in [17, 25, 33] {
        let mut bytes = vec![b'x'; len];
        bytes[len - 1] = b'\n';
        let message = EncryptionKey::new(&bytes).unwrap_err().to_string();
        assert!(message.contains(&format!("has {len}: it ends with a newline; write the key without it")), "{message}");
    }
}

#[test]
fn a_key_shows_nothing_of_itself() {
    let key = EncryptionKey::new(b"0123456789abcdef").unwrap();
    assert_eq!(format!("{key:?} {key:#?}"), "EncryptionKey(redacted) EncryptionKey(redacted)");
}

#[test]
fn the_key_check_and_the_macs_of_format_version_1_stay_what_they_are() {
    let key = EncryptionKey::new(&[7; 32]).unwrap();
    assert_eq!(key.check().to_string(), "7c8de87c6ac512cd375af1d2beb0c646");
    assert_eq!(
        key.object_mac(&Sha256Digest([1; 32])).to_string(),
        "524bb686fc052a20eae520e46edf0dbfa418a0073442237cc3758b7826d5a341"
    );
    assert_eq!(key.manifest_mac(b"{}").to_string(), "9f0fbdd8eccb1058ce7bec1dcbb15551fff9a2a05d41e373cbff2c88ef277587");
    assert_eq!(KeyCheck::from_hex(&key.check().to_string()), Some(key.check()));
    assert_ne!(key.check(), EncryptionKey::new(&[8; 32]).unwrap().check());
    assert_ne!(key.check(), EncryptionKey::new(&[7; 16]).unwrap().check());
}

#[test]
fn an_object_too_short_for_an_iv_is_cut_off() {
    let key = EncryptionKey::new(&[7; 32]).unwrap();
    assert!(matches!(CipherReader::new(&[0; 15][..], Some(&key)), Err(Error::Truncated { offset: 15 })));
}
