import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.Map;
import java.util.TreeMap;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Makes Pulsar's java-instance.jar: the main class and the jars that functions share with the instance, in one.
 *
 * <pre>java InstanceJar.java OUTPUT CLASSES_FOLDER JARS_FOLDER</pre>
 *
 * The same input gives the same bytes: entries are sorted and have a fixed time. Where several jars have a file, the
 * first jar's is taken; registrations of services are joined.
 */
final class InstanceJar {
    private static final String MANIFEST = "META-INF/MANIFEST.MF";
    /** Signatures are of the single jars. */
    private static final Pattern LEFT_OUT = Pattern.compile("META-INF/([^/]+\\.(SF|RSA|DSA|EC)|MANIFEST\\.MF|INDEX\\.LIST)");
    private static final LocalDateTime TIME = LocalDateTime.of(1980, 1, 1, 0, 0, 2);

    private final Map<String, byte[]> files = new TreeMap<>();

    public static void main(String[] arguments) throws IOException {
        var jar = new InstanceJar();
        jar.addFolder(Path.of(arguments[1]));
        try (Stream<Path> jars = Files.list(Path.of(arguments[2]))) {
            for (Path path : jars.sorted().toList()) {
                jar.addJar(path);
            }
        }
        try (OutputStream output = Files.newOutputStream(Path.of(arguments[0]))) {
            jar.write(output);
        }
    }

    private void addFolder(Path folder) throws IOException {
        try (Stream<Path> paths = Files.walk(folder)) {
            for (Path path : paths.filter(Files::isRegularFile).toList()) {
                add(folder.relativize(path).toString(), Files.readAllBytes(path));
            }
        }
    }

    private void addJar(Path path) throws IOException {
        try (var jar = new JarFile(path.toFile())) {
            for (JarEntry entry : (Iterable<JarEntry>) jar.stream()::iterator) {
                if (!entry.isDirectory() && !LEFT_OUT.matcher(entry.getName()).matches()) {
                    try (InputStream contents = jar.getInputStream(entry)) {
                        add(entry.getName(), contents.readAllBytes());
                    }
                }
            }
        }
    }

    private void add(String name, byte[] contents) {
        if (name.startsWith("META-INF/services/")) {
            files.merge(name, contents, InstanceJar::joined);
        } else {
            files.putIfAbsent(name, contents);
        }
    }

    private static byte[] joined(byte[] first, byte[] second) {
        var both = new ByteArrayOutputStream();
        both.writeBytes(first);
        both.write('\n');
        both.writeBytes(second);
        return both.toByteArray();
    }

    private void write(OutputStream output) throws IOException {
        try (var zip = new ZipOutputStream(output)) {
            // The manifest comes first: JarInputStream looks for it nowhere else.
            put(zip, MANIFEST, "Manifest-Version: 1.0\r\nMulti-Release: true\r\n\r\n".getBytes(StandardCharsets.UTF_8));
            for (var file : files.entrySet()) {
                put(zip, file.getKey(), file.getValue());
            }
        }
    }

    private static void put(ZipOutputStream zip, String name, byte[] contents) throws IOException {
        var entry = new ZipEntry(name);
        entry.setTimeLocal(TIME);
        zip.putNextEntry(entry);
        zip.write(contents);
        zip.closeEntry();
    }
}
