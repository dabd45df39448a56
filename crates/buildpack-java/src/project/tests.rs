use super::*;

const FUNCTION: &str = "import org.apache.pulsar.functions.api.Function;";
const HELPER: &str = "import java.util.function.Function;";

fn said(files: &[(&str, &str)], variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let settings = Settings::from_variables(&variables.iter().map(|(name, value)| (name.into(), value.into())).collect()).unwrap();
    match find(folder.path(), &settings).unwrap() {
        Ok(project) => {
            let modules: Vec<String> = project.modules.iter().map(|module| module.display().to_string()).collect();
            format!("{} {:?} {}", project.tool, project.root.display().to_string(), modules.join(","))
        }
        Err(absent) => absent.to_string(),
    }
}

#[test]
fn find_takes_projects_with_a_function() {
    let pom = ("pom.xml", "<project/>");
    let source = ("src/main/java/F.java", FUNCTION);
    for (files, expected) in [
        (&[pom, source][..], "Maven \"\" "),
        (&[("build.gradle", ""), source], "Gradle \"\" "),
        (&[("build.gradle.kts", ""), ("src/main/kotlin/F.kt", FUNCTION)], "Gradle \"\" "),
        (&[("settings.gradle", ""), ("orders/src/main/java/F.java", FUNCTION)], "Gradle \"\" orders"),
        (&[pom, ("build.gradle", ""), source], "Maven \"\" "),
        (&[pom, ("a/src/main/java/F.java", FUNCTION), ("b/c/src/main/java/G.java", FUNCTION)], "Maven \"\" a,b/c"),
        (&[pom, ("a/src/main/java/F.java", FUNCTION), ("b/src/main/java/G.java", HELPER)], "Maven \"\" a"),
        (&[pom, ("src/main/java/H.java", HELPER)], "Maven \"\" "),
    ] {
        assert_eq!(said(files, &[]), expected, "{files:?}");
    }
}

#[test]
fn find_says_what_it_looked_for() {
    let source = ("src/main/java/F.java", FUNCTION);
    let no_build_file = "looked for pom.xml or build.gradle: not found";
    let no_mention = "found pom.xml, but none of 1 source files mentions org.apache.pulsar.functions.api or \
                      java.util.function.Function; if there is a function, name its class in BP_FUNCTION_CLASS";
    let below = "looked for pom.xml or build.gradle in the source folder itself: not found (name its folder in \
                 BP_MAVEN_BUILT_MODULE or BP_GRADLE_BUILT_MODULE; found orders/pom.xml)";
    for (files, expected) in [
        (&[][..], no_build_file.to_owned()),
        (&[source], format!("{no_build_file} (found src)")),
        (&[("F.java", FUNCTION)], format!("{no_build_file} (found F.java)")),
        (&[("Pom.xml", "<project/>"), source], format!("{no_build_file} (found Pom.xml)")),
        (&[("pom.xml/x", ""), source], format!("{no_build_file} (found pom.xml)")),
        (&[("pom.xml", ""), source], "looked for a build file: pom.xml is empty".to_owned()),
        (&[("pom.xml", "<project/>")], "found pom.xml, but no source of Java, Kotlin, Scala or Groovy in a src folder".to_owned()),
        (&[("pom.xml", "<project/>"), ("src/main/java/F.java", "class F {}")], no_mention.to_owned()),
        (
            &[("pom.xml", "<project/>"), ("src/test/java/F.java", FUNCTION)],
            "found pom.xml, but no source of Java, Kotlin, Scala or Groovy in a src folder".to_owned(),
        ),
        (&[("orders/pom.xml", "<project/>"), ("orders/src/main/java/F.java", FUNCTION)], below.to_owned()),
    ] {
        assert_eq!(said(files, &[]), expected, "{files:?}");
    }
}

#[test]
fn find_believes_the_user() {
    let files = [("pom.xml", "<project/>"), ("a/pom.xml", "<project/>"), ("x/b/build.gradle", ""), ("generated/F.java", "")];
    for (name, value, expected) in [
        ("BP_FUNCTION_CLASS", "x.F", "Maven \"\" "),
        ("BP_MAVEN_BUILT_MODULE", "a", "Maven \"\" a"),
        ("BP_GRADLE_BUILT_MODULE", "x/b", "Gradle \"x/b\" x/b"),
        ("BP_MAVEN_BUILT_MODULE", "c", "looked for a build file in c, as BP_MAVEN_BUILT_MODULE says: not found"),
    ] {
        assert_eq!(said(&files, &[(name, value)]), expected);
    }
}
