//! LIKE: `%`, `_`, `[set]`, `[^set]`, an escape character.

use crate::collation::Collation;

enum Piece {
    Any,
    One,
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    Literal(char),
}

fn pieces(pattern: &str, escape: Option<char>) -> Vec<Piece> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        if Some(c) == escape {
            if let Some(&literal) = chars.get(at) {
                pieces.push(Piece::Literal(literal));
                at += 1;
            }
            continue;
        }
        match c {
            '%' => pieces.push(Piece::Any),
            '_' => pieces.push(Piece::One),
            '[' => match set(&chars, at, escape) {
                Some((piece, next)) => {
                    pieces.push(piece);
                    at = next;
                }
                None => pieces.push(Piece::Literal('[')),
            },
            literal => pieces.push(Piece::Literal(literal)),
        }
    }
    pieces
}

fn set(chars: &[char], start: usize, escape: Option<char>) -> Option<(Piece, usize)> {
    let mut at = start;
    let negated = chars.get(at) == Some(&'^');
    if negated {
        at += 1;
    }
    let mut ranges = Vec::new();
    loop {
        let mut low = *chars.get(at)?;
        if low == ']' && !(ranges.is_empty() && chars.get(at + 1) == Some(&']')) {
            return Some((Piece::Set { negated, ranges }, at + 1));
        }
        if Some(low) == escape {
            at += 1;
            low = *chars.get(at)?;
        }
        if chars.get(at + 1) == Some(&'-') && chars.get(at + 2).is_some_and(|c| *c != ']') {
            ranges.push((low, *chars.get(at + 2)?));
            at += 3;
        } else {
            ranges.push((low, low));
            at += 1;
        }
    }
}

fn piece_matches(piece: &Piece, c: char, collation: &Collation) -> bool {
    match piece {
        Piece::Any | Piece::One => true,
        Piece::Literal(literal) => collation.same(*literal, c),
        Piece::Set { negated, ranges } => {
            ranges
                .iter()
                .any(|(low, high)| collation.between(c, *low, *high))
                != *negated
        }
    }
}

fn run(pieces: &[Piece], text: &[char], collation: &Collation) -> bool {
    // Greedy with one point to come back to: the latest `%`.
    let (mut piece, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if let Some(Piece::Any) = pieces.get(piece) {
            retry = Some((piece + 1, at));
            piece += 1;
            continue;
        }
        let matched = match (pieces.get(piece), text.get(at)) {
            (Some(current), Some(c)) => piece_matches(current, *c, collation),
            (None, None) => return true,
            _ => false,
        };
        if matched {
            piece += 1;
            at += 1;
        } else if let Some((resume, from)) = retry.filter(|(_, from)| *from < text.len()) {
            retry = Some((resume, from + 1));
            piece = resume;
            at = from + 1;
        } else {
            return false;
        }
    }
}

/// Whether the text matches. Trailing blanks of the text may go unmatched.
pub(crate) fn matches(
    text: &str,
    pattern: &str,
    escape: Option<char>,
    collation: &Collation,
) -> bool {
    let pieces = pieces(pattern, escape);
    let chars: Vec<char> = text.chars().collect();
    if run(&pieces, &chars, collation) {
        return true;
    }
    let trimmed = text.trim_end_matches(' ').chars().count();
    (trimmed..chars.len()).any(|end| run(&pieces, &chars[..end], collation))
}

/// PATINDEX: the 1-based position where the pattern matches, 0 where it does not.
pub(crate) fn find_pattern(text: &str, pattern: &str, collation: &Collation) -> usize {
    let chars: Vec<char> = text.chars().collect();
    let anchored = !pattern.starts_with('%');
    let inner = pieces(pattern.trim_start_matches('%'), None);
    let starts = if anchored { 0..1 } else { 0..chars.len() + 1 };
    starts
        .into_iter()
        .find(|start| run(&inner, &chars[*start..], collation))
        .map_or(0, |start| start + 1)
}
