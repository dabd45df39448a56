//! The files of new projects.

use super::names::Names;
use crate::arguments::LanguageArgument;

const README: &str = include_str!("../../../templates/README.md");
const README_DOCKERFILE: &str = include_str!("../../../templates/README.dockerfile.md");

/// A language's project.
pub(super) struct Template {
    language: &'static str,
    /// Path and text, both with names to be filled in.
    files: &'static [(&'static str, &'static str)],
    /// The file that a reader looks at first.
    source: &'static str,
    /// Runs the project's own test.
    test: &'static str,
    dockerfile: &'static str,
    /// How `fnpack package` makes what the Dockerfile takes.
    artifact: &'static str,
}

static JAVA: Template = Template {
    language: "Java",
    files: &[
        ("pom.xml", include_str!("../../../templates/java/pom.xml")),
        ("src/main/java/com/example/{{class}}.java", include_str!("../../../templates/java/Function.java")),
        ("src/test/java/com/example/{{class}}Test.java", include_str!("../../../templates/java/FunctionTest.java")),
        (".gitignore", include_str!("../../../templates/java/gitignore")),
    ],
    source: "src/main/java/com/example/{{class}}.java",
    test: "mvn test",
    dockerfile: include_str!("../../../../../examples/dockerfile/java/Dockerfile"),
    artifact: "function.jar",
};

static PYTHON: Template = Template {
    language: "Python",
    files: &[
        ("{{module}}.py", include_str!("../../../templates/python/function.py")),
        ("tests/test_{{module}}.py", include_str!("../../../templates/python/test_function.py")),
        (".gitignore", include_str!("../../../templates/python/gitignore")),
    ],
    source: "{{module}}.py",
    test: "python3 -m unittest tests/test_{{module}}.py",
    dockerfile: include_str!("../../../../../examples/dockerfile/python/Dockerfile"),
    artifact: "function.zip",
};

/// The module's dependencies are those of the example, which has their sums.
static GO: Template = Template {
    language: "Go",
    files: &[
        ("main.go", include_str!("../../../templates/go/main.go")),
        ("main_test.go", include_str!("../../../templates/go/main_test.go")),
        ("go.mod", include_str!("../../../../../examples/go/exclamation/go.mod")),
        ("go.sum", include_str!("../../../../../examples/go/exclamation/go.sum")),
    ],
    source: "main.go",
    test: "go test ./...",
    dockerfile: include_str!("../../../../../examples/dockerfile/go/Dockerfile"),
    artifact: "function",
};

const EXAMPLE_MODULE: &str = "module example.com/exclamation\n";

impl Template {
    pub(super) fn of(language: LanguageArgument) -> &'static Self {
        match language {
            LanguageArgument::Java => &JAVA,
            LanguageArgument::Python => &PYTHON,
            LanguageArgument::Go => &GO,
        }
    }

    /// Path and text of each file.
    pub(super) fn files(&self, names: &Names, with_dockerfile: bool) -> Vec<(String, String)> {
        let fill = |text: &str| self.filled(text, names);
        let mut files: Vec<(String, String)> = self.files.iter().map(|(path, text)| (fill(path), fill(text))).collect();
        let mut readme = fill(README);
        if with_dockerfile {
            readme.push_str(&fill(README_DOCKERFILE));
            files.push(("Dockerfile".to_owned(), self.dockerfile.to_owned()));
        }
        files.push(("README.md".to_owned(), readme));
        files
    }

    fn filled(&self, text: &str, names: &Names) -> String {
        // What stands for a whole line or path goes first: names are in it.
        let whole = text
            .replace("{{source}}", self.source)
            .replace("{{test}}", self.test)
            .replace("{{artifact}}", self.artifact)
            .replace("{{language}}", self.language)
            .replace(EXAMPLE_MODULE, "module example.com/{{name}}\n");
        whole
            .replace("{{name}}", &names.name)
            .replace("{{title}}", &names.title)
            .replace("{{class}}", &names.class)
            .replace("{{module}}", &names.module)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn files_have_every_name_filled_in() {
        let names = Names::of(Path::new("order-check"));
        for (template, function) in
            [(&JAVA, "src/main/java/com/example/OrderCheckFunction.java"), (&PYTHON, "order_check_function.py"), (&GO, "main.go")]
        {
            let files = template.files(&names, true);
            for (path, text) in &files {
                assert!(!path.contains("{{") && !text.contains("{{"), "{path}: {text}");
                assert!(text.ends_with('\n') && !text.contains("exclamation/"), "{path}");
            }
            let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
            assert!(paths.contains(&function) && paths.contains(&"Dockerfile") && paths.contains(&"README.md"), "{paths:?}");
            assert!(!template.files(&names, false).iter().any(|(path, text)| path == "Dockerfile" || text.contains("Dockerfile")));
        }
    }

    #[test]
    fn go_module_has_the_projects_name() {
        let files = GO.files(&Names::of(Path::new("order-check")), false);
        let module = files.iter().find(|(path, _)| path == "go.mod").unwrap();
        assert!(module.1.starts_with("module example.com/order-check\n"), "{}", module.1);
    }
}
