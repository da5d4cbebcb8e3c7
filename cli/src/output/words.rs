//! Sentences for people.

use std::io::{self, Write};

/// A title and sentences under it, each with a dash.
pub(crate) fn write_words(out: &mut dyn Write, title: &str, words: &[String]) -> io::Result<()> {
    if words.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}:")?;
    for sentence in words {
        let mut lines = textwrap(sentence).into_iter();
        writeln!(out, "- {}", lines.next().unwrap_or_default())?;
        for line in lines {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

/// Lines of at most 76 characters.
fn textwrap(sentence: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in sentence.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < 76 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
