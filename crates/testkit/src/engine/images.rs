//! What an engine keeps.

use std::collections::HashMap;
use std::io::Read;

use serde_json::{Value, json};

use super::Kind;
use crate::registry::digest;

/// Images, names and layers.
#[derive(Debug, Default)]
pub(super) struct Images {
    all: Vec<Image>,
    /// Layers not packed, by what the engine knows them by: chain ID or diff ID.
    layers: HashMap<String, Vec<u8>>,
    /// Layers of the last archive that were not empty.
    pub(super) received: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) id: String,
    names: Vec<String>,
    config: Vec<u8>,
    labels: Value,
    diff_ids: Vec<String>,
}

impl Image {
    pub(super) fn details(&self) -> Value {
        json!({ "Id": self.id, "RepoTags": self.names, "RootFS": { "Type": "layers", "Layers": self.diff_ids } })
    }
}

impl Images {
    /// The image of a name or Id.
    pub(super) fn find(&self, name: &str) -> Option<&Image> {
        let name = full(name);
        self.all.iter().find(|image| image.names.iter().any(|known| full(known) == name) || full(&image.id) == name)
    }

    pub(super) fn list(&self) -> Value {
        let summary = |image: &Image| json!({ "Id": image.id, "RepoTags": image.names, "Created": 315_532_801, "Labels": image.labels });
        self.all.iter().map(summary).collect()
    }

    pub(super) fn tag(&mut self, id: &str, name: &str) {
        for image in &mut self.all {
            image.names.retain(|known| full(known) != full(name));
            if image.id == id {
                image.names.push(name.to_owned());
            }
        }
    }

    pub(super) fn forget_layers(&mut self) {
        self.layers.clear();
    }

    /// Takes the images of an archive; gives their names, or what is wrong.
    pub(super) fn load(&mut self, archive: &[u8], kind: Kind) -> Result<String, String> {
        let files = files(archive)?;
        let file = |name: &str| files.get(name).ok_or_else(|| format!("open /var/lib/docker/tmp/{name}: no such file or directory"));
        let list: Value = serde_json::from_slice(file("manifest.json")?).map_err(|error| error.to_string())?;
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let mut loaded = Vec::new();
        for entry in list.as_array().into_iter().flatten() {
            let config = file(entry["Config"].as_str().unwrap_or_default())?;
            let parsed: Value = serde_json::from_slice(config).map_err(|error| error.to_string())?;
            let (diff_ids, layers) = (texts(&parsed["rootfs"]["diff_ids"]), texts(&entry["Layers"]));
            let contents = layers.iter().map(|name| file(name)).collect::<Result<Vec<_>, _>>()?;
            self.received = contents.iter().filter(|bytes| !bytes.is_empty()).count();
            self.take_layers(&diff_ids, &contents, kind)?;
            let id = if kind == Kind::Containerd { digest(&[config, &b"manifest"[..]].concat()) } else { digest(config) };
            let labels = parsed["config"]["Labels"].clone();
            self.all.retain(|image| image.id != id);
            self.all.push(Image { id: id.clone(), names: Vec::new(), config: config.clone(), labels, diff_ids });
            for name in texts(&entry["RepoTags"]) {
                self.tag(&id, &name);
                loaded.push(name);
            }
        }
        Ok(loaded.join(", "))
    }

    fn take_layers(&mut self, diff_ids: &[String], contents: &[&Vec<u8>], kind: Kind) -> Result<(), String> {
        for (key, (diff_id, bytes)) in keys(diff_ids, kind).into_iter().zip(diff_ids.iter().zip(contents)) {
            if kind != Kind::Containerd && self.layers.contains_key(&key) {
                continue;
            }
            let plain = unpacked(bytes);
            if digest(&plain) != *diff_id {
                return Err(format!("invalid diffID for layer: expected {diff_id:?}, got {:?}", digest(&plain)));
            }
            self.layers.insert(key, plain);
        }
        Ok(())
    }

    /// What `docker save` writes of an image.
    pub(super) fn export(&self, image: &Image, name: &str, kind: Kind) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut add = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, name, bytes).expect("writing to memory");
        };
        let layers: Vec<String> = image.diff_ids.iter().map(|id| format!("{}/layer.tar", hex(id))).collect();
        for (key, name) in keys(&image.diff_ids, kind).iter().zip(&layers) {
            add(name, &self.layers[key]);
        }
        let config = format!("{}.json", hex(&digest(&image.config)));
        add(&config, &image.config);
        let names: Vec<&String> = image.names.iter().filter(|known| full(known) == full(name)).collect();
        add("manifest.json", json!([{ "Config": config, "RepoTags": names, "Layers": layers }]).to_string().as_bytes());
        tar.into_inner().expect("writing to memory")
    }
}

fn files(archive: &[u8]) -> Result<HashMap<String, Vec<u8>>, String> {
    let mut files = HashMap::new();
    for entry in tar::Archive::new(archive).entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        let name = entry.path().map_err(|error| error.to_string())?.display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        files.insert(name, bytes);
    }
    Ok(files)
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain) {
        Ok(_) if bytes.starts_with(&[0x1f, 0x8b]) => plain,
        _ => bytes.to_vec(),
    }
}

/// What each layer is known by: for Podman its diff ID, else its chain ID (OCI image specification, `config.md`).
fn keys(diff_ids: &[String], kind: Kind) -> Vec<String> {
    if kind == Kind::Podman {
        return diff_ids.to_vec();
    }
    let mut chains: Vec<String> = Vec::new();
    for diff_id in diff_ids {
        let chain = chains.last().map_or_else(|| diff_id.clone(), |parent| digest(format!("{parent} {diff_id}").as_bytes()));
        chains.push(chain);
    }
    chains
}

fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

fn full(name: &str) -> String {
    name.strip_prefix("docker.io/library/").or_else(|| name.strip_prefix("docker.io/")).unwrap_or(name).to_owned()
}
