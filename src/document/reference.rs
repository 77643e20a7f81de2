//! The reference page of the model language, made from the table of its keys.

use super::language::{Form, LAW, ROOT, STEPS, Section, laws};

/// The tables of `docs/model.md`, as Markdown: every section with every key.
pub fn tables() -> String {
    let mut out = String::new();
    let mut open = vec![(&ROOT, "The whole file".to_string())];
    while !open.is_empty() {
        let (section, title) = open.remove(0);
        print(section, &title, &mut out);
        for key in section.keys {
            let title = match (key.name, &key.form) {
                ("devices" | "operations", _) => format!("`{}.NAME` of a service", key.name),
                (name, Form::Named(_)) => format!("`[{name}.NAME]`"),
                ("objective", _) => "`[[objective]]`".to_string(),
                (name, Form::Table(_)) if section.name == ROOT.name => format!("`[{name}]`"),
                (name, _) => format!("`{name}`"),
            };
            match key.form {
                Form::Table(inner) | Form::Named(inner) | Form::List(inner) => open.push((inner, title)),
                Form::OneOf(forms) => open.extend(forms.iter().filter_map(|form| match form {
                    Form::Table(inner) => Some((*inner, title.clone())),
                    _ => None,
                })),
                _ => {}
            }
        }
    }
    out.push_str("## Steps\n\n");
    for step in &STEPS {
        print(step, &format!("`{}`", step.keys[0].name), &mut out);
    }
    out.push_str("## Distributions\n\n");
    print(&LAW, "A distribution as a table", &mut out);
    out.push_str("| `dist` | law |\n|---|---|\n");
    laws().iter().for_each(|(word, meaning)| out.push_str(&format!("| `{word}` | {meaning} |\n")));
    out
}

fn print(section: &Section, title: &str, out: &mut String) {
    out.push_str(&format!("### {title}\n\n{}\n\n| key | example | meaning |\n|---|---|---|\n", section.meaning));
    for key in section.keys {
        let example = if key.example.is_empty() { String::new() } else { format!("`{}`", key.example) };
        out.push_str(&format!("| `{}` | {example} | {}{} |\n", key.name, key.meaning, words(&key.form)));
    }
    out.push('\n');
}

/// The words a key takes, with what they mean.
fn words(form: &Form) -> String {
    match form {
        Form::Word(list) => {
            let each: Vec<String> = list().iter().map(|(word, meaning)| format!("`{word}`: {meaning}")).collect();
            format!(" {}.", each.join("; "))
        }
        Form::OneOf(forms) => forms.iter().map(words).collect(),
        _ => String::new(),
    }
}
