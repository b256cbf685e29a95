use super::header::HEADER;

/// A well-formed table: header with a good checksum, then `body`.
pub(super) fn table(signature: &str, revision: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = signature.as_bytes().to_vec();
    bytes.extend_from_slice(&u32::try_from(HEADER + body.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&[revision, 0]);
    bytes.resize(HEADER, b' ');
    bytes.extend_from_slice(body);
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[9] = 0_u8.wrapping_sub(sum);
    bytes
}

/// What is wrong, in words.
pub(super) fn words(problems: &[super::TableProblem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}
