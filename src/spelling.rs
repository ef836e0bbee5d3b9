//! What was probably meant by a word that is not known.

/// Longer words are compared by their beginning: a name somebody else chose may be of any length.
const LETTERS: usize = 64;

/// The known word that was probably meant; none when no word is near.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (distance(word, known), *known))
        .filter(|(distance, known)| *distance <= 1.max(known.len() / 3))
        .min()
        .map(|(_, known)| known)
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour to make one
/// word the other.
#[must_use]
pub fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(LETTERS).collect();
    let other: Vec<char> = other.chars().take(LETTERS).collect();
    let mut rows = vec![(0..=other.len()).collect::<Vec<_>>()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(a != b);
            let mut cost = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && one[i - 1] == *b && other[j - 1] == *a {
                cost = cost.min(rows[i - 1][j - 1] + 1);
            }
            row.push(cost);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_word_that_was_meant_and_does_not_guess_wildly() {
        let known = ["boot", "firstboot", "svcup", "svcdown", "monitor"];
        for (word, meant) in [
            ("fristboot", Some("firstboot")),
            ("montior", Some("monitor")),
            ("svc-up", Some("svcup")),
            ("svcupp", Some("svcup")),
            ("readme", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), meant, "{word}");
        }
        assert_eq!(nearest("", &[]), None);
    }

    #[test]
    fn counts_what_must_change() {
        for (one, other, expected) in [
            ("", "", 0),
            ("web", "web", 0),
            ("web", "", 3),
            ("wbe", "web", 1),
            ("wb", "web", 1),
            ("wéb", "web", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }
}
