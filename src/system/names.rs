//! The name that somebody probably meant.

/// The candidate most like a misspelt name, if any is near enough to be meant.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + name.len().max(candidate.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Advice for a name that does not exist: the nearest one, or all of them when they are few.
pub fn nearest_advice<'a>(name: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> String {
    if let Some(found) = nearest(name, candidates.clone()) {
        return format!("did you mean \"{found}\"?");
    }
    let all: Vec<&str> = candidates.take(9).collect();
    match all.len() {
        0 => "none is defined".to_string(),
        1..=8 => format!("there is {}", all.join(", ")),
        _ => format!("there is {}, …", all[..8].join(", ")),
    }
}
