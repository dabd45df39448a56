//! The package service: files that functions are made from, by version.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::multipart::Form;
use super::{Admin, AdminError, Content, PackageName};

/// What is kept with a package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PackageMetadata {
    /// What it is.
    pub description: Option<String>,
    /// Who answers for it.
    pub contact: Option<String>,
    /// Anything else: a digest, a build.
    #[serde(deserialize_with = "super::null_as_default")]
    pub properties: BTreeMap<String, String>,
    /// In milliseconds since 1970; set by the broker at upload.
    #[serde(skip_serializing_if = "is_zero")]
    pub create_time: i64,
    /// In milliseconds since 1970; set by the broker at change.
    #[serde(skip_serializing_if = "is_zero")]
    pub modification_time: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(time: &i64) -> bool {
    *time == 0
}

impl Admin {
    /// Uploads a file as a new package. Versions cannot be overwritten.
    pub fn upload_package(&self, name: &PackageName, metadata: &PackageMetadata, file: &Path) -> Result<(), AdminError> {
        let unexpected = |source: serde_json::Error| AdminError::Unexpected { request: name.to_string(), source: source.into() };
        let metadata = serde_json::to_string(metadata).map_err(unexpected)?;
        let file_name = file.file_name().unwrap_or_default().to_string_lossy();
        let form = Form::new().text("metadata", "application/json", &metadata).file("file", file, &file_name);
        let result = self.post(&name.path(), &form);
        if matches!(&result, Err(error) if error.status().is_none_or(|status| status >= 500)) && !taken(&result) {
            // The metadata may be there and the file not: that would block the version for good.
            let _ = self.delete(&name.path());
        }
        result
    }

    /// Deletes a package; `false` if there was none. Functions made from it run on until they are started again.
    pub fn delete_package(&self, name: &PackageName) -> Result<bool, AdminError> {
        if self.package_metadata(name)?.is_none() {
            // Brokers that keep packages in files answer 500 to this, and list the version from then on.
            return Ok(false);
        }
        self.delete(&name.path())
    }

    /// What is kept with a package; `None` if there is no such package.
    pub fn package_metadata(&self, name: &PackageName) -> Result<Option<PackageMetadata>, AdminError> {
        self.find(&format!("{}/metadata", name.path()))
    }

    /// Replaces all that is kept with a package.
    pub fn replace_package_metadata(&self, name: &PackageName, metadata: &PackageMetadata) -> Result<(), AdminError> {
        let unexpected = |source: serde_json::Error| AdminError::Unexpected { request: name.to_string(), source: source.into() };
        let text = serde_json::to_string(metadata).map_err(unexpected)?;
        self.call("PUT", &format!("{}/metadata", name.path()), &Content::Json(&text)).map(drop)
    }

    /// The versions of a package. Brokers that keep packages in files list deleted ones too.
    pub fn package_versions(&self, name: &PackageName) -> Result<Vec<String>, AdminError> {
        Ok(self.find(&name.versions_path())?.unwrap_or_default())
    }
}

/// Whether a refusal says that the version is taken: by then nothing was changed.
fn taken(result: &Result<(), AdminError>) -> bool {
    result.as_ref().err().and_then(AdminError::reason).is_some_and(|reason| reason.contains("already exists"))
}
