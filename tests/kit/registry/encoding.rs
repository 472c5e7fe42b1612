//! Digests and base64, as the tests compute them.

/// `sha256:…`
pub fn sha256(bytes: &[u8]) -> String {
    let mut digest = String::from("sha256:");
    for byte in <sha2::Sha256 as sha2::Digest>::digest(bytes) {
        digest += &format!("{byte:02x}");
    }
    digest
}

/// Text in base64, written here because the product's is another's.
pub fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            encoded.push(if i <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    encoded
}
