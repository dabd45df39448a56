//! The flags, as data: name, variable, default, and which phase has them since when (CNB platform specification,
//! "Phases", and the reference lifecycle where it says more).

use fnpack_core::lifecycle::api::PlatformApi;

use crate::phase::Phase;

/// A flag of any phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flag {
    Analyzed,
    App,
    BuildConfig,
    BuildImage,
    Buildpacks,
    CacheDir,
    CacheImage,
    Daemon,
    Extended,
    Extensions,
    Force,
    Generated,
    Gid,
    Group,
    Image,
    InsecureRegistry,
    LaunchCache,
    Launcher,
    LauncherSbom,
    Layers,
    Layout,
    LayoutDir,
    LogLevel,
    NoColor,
    Order,
    Parallel,
    Plan,
    Platform,
    PreviousImage,
    ProcessType,
    ProjectMetadata,
    Report,
    Run,
    RunImage,
    SkipLayers,
    SkipRestore,
    Stack,
    System,
    Tag,
    Uid,
    Version,
}

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing, or `=true` and its like.
    Switch,
    /// A text.
    Text,
    /// Texts: given several times, or with commas between.
    List,
    /// A user or group id.
    Number,
}

/// What holds where neither flag nor variable says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    None,
    Text(&'static str),
    /// A file in the layers folder.
    InLayers(&'static str),
}

/// A flag's description.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) flag: Flag,
    pub(crate) name: &'static str,
    /// Its twin in the environment; empty if it has none.
    pub(crate) variable: &'static str,
    pub(crate) kind: Kind,
    pub(crate) fallback: Fallback,
}

const fn define(flag: Flag, name: &'static str, variable: &'static str, kind: Kind, fallback: Fallback) -> Definition {
    Definition { flag, name, variable, kind, fallback }
}

use Fallback::InLayers;
use Kind::{List, Number, Switch, Text};

const NONE: Fallback = Fallback::None;

const fn path(text: &'static str) -> Fallback {
    Fallback::Text(text)
}

pub(super) static DEFINITIONS: [Definition; 41] = [
    define(Flag::Analyzed, "analyzed", "CNB_ANALYZED_PATH", Text, InLayers("analyzed.toml")),
    define(Flag::App, "app", "CNB_APP_DIR", Text, path("/workspace")),
    define(Flag::BuildConfig, "build-config", "CNB_BUILD_CONFIG_DIR", Text, path("/cnb/build-config")),
    define(Flag::BuildImage, "build-image", "CNB_BUILD_IMAGE", Text, NONE),
    define(Flag::Buildpacks, "buildpacks", "CNB_BUILDPACKS_DIR", Text, path("/cnb/buildpacks")),
    define(Flag::CacheDir, "cache-dir", "CNB_CACHE_DIR", Text, NONE),
    define(Flag::CacheImage, "cache-image", "CNB_CACHE_IMAGE", Text, NONE),
    define(Flag::Daemon, "daemon", "CNB_USE_DAEMON", Switch, NONE),
    define(Flag::Extended, "extended", "CNB_EXTENDED_DIR", Text, NONE),
    define(Flag::Extensions, "extensions", "CNB_EXTENSIONS_DIR", Text, NONE),
    define(Flag::Force, "force", "CNB_FORCE_REBASE", Switch, NONE),
    define(Flag::Generated, "generated", "CNB_GENERATED_DIR", Text, NONE),
    define(Flag::Gid, "gid", "CNB_GROUP_ID", Number, NONE),
    define(Flag::Group, "group", "CNB_GROUP_PATH", Text, InLayers("group.toml")),
    define(Flag::Image, "image", "", Text, NONE),
    define(Flag::InsecureRegistry, "insecure-registry", "CNB_INSECURE_REGISTRIES", List, NONE),
    define(Flag::LaunchCache, "launch-cache", "CNB_LAUNCH_CACHE_DIR", Text, NONE),
    define(Flag::Launcher, "launcher", "", Text, path("/cnb/lifecycle/launcher")),
    define(Flag::LauncherSbom, "launcher-sbom", "", Text, path("/cnb/lifecycle")),
    define(Flag::Layers, "layers", "CNB_LAYERS_DIR", Text, path("/layers")),
    define(Flag::Layout, "layout", "CNB_USE_LAYOUT", Switch, NONE),
    define(Flag::LayoutDir, "layout-dir", "CNB_LAYOUT_DIR", Text, NONE),
    define(Flag::LogLevel, "log-level", "CNB_LOG_LEVEL", Text, path("info")),
    define(Flag::NoColor, "no-color", "CNB_NO_COLOR", Switch, NONE),
    define(Flag::Order, "order", "CNB_ORDER_PATH", Text, path("/cnb/order.toml")),
    define(Flag::Parallel, "parallel", "CNB_PARALLEL_EXPORT", Switch, NONE),
    define(Flag::Plan, "plan", "CNB_PLAN_PATH", Text, InLayers("plan.toml")),
    define(Flag::Platform, "platform", "CNB_PLATFORM_DIR", Text, path("/platform")),
    define(Flag::PreviousImage, "previous-image", "CNB_PREVIOUS_IMAGE", Text, NONE),
    define(Flag::ProcessType, "process-type", "CNB_PROCESS_TYPE", Text, NONE),
    define(Flag::ProjectMetadata, "project-metadata", "CNB_PROJECT_METADATA_PATH", Text, InLayers("project-metadata.toml")),
    define(Flag::Report, "report", "CNB_REPORT_PATH", Text, InLayers("report.toml")),
    define(Flag::Run, "run", "CNB_RUN_PATH", Text, path("/cnb/run.toml")),
    define(Flag::RunImage, "run-image", "CNB_RUN_IMAGE", Text, NONE),
    define(Flag::SkipLayers, "skip-layers", "CNB_SKIP_LAYERS", Switch, NONE),
    define(Flag::SkipRestore, "skip-restore", "CNB_SKIP_RESTORE", Switch, NONE),
    define(Flag::Stack, "stack", "CNB_STACK_PATH", Text, path("/cnb/stack.toml")),
    define(Flag::System, "system", "CNB_SYSTEM_PATH", Text, path("/cnb/system.toml")),
    define(Flag::Tag, "tag", "", List, NONE),
    define(Flag::Uid, "uid", "CNB_USER_ID", Number, NONE),
    define(Flag::Version, "version", "", Switch, NONE),
];

/// Since which Platform API a phase has a flag.
type Since = fn(PlatformApi) -> bool;

const ALWAYS: Since = |_| true;
const BEFORE_RUN_TOML: Since = |api| !api.has_run_toml();

/// Flags of one phase.
type Flags = &'static [(Since, &'static [Flag])];

const EVERY_PHASE: &[Flag] = &[Flag::LogLevel, Flag::NoColor, Flag::Version];

const ANALYZER: Flags = &[
    (
        ALWAYS,
        &[
            Flag::Analyzed,
            Flag::CacheImage,
            Flag::Daemon,
            Flag::Gid,
            Flag::Uid,
            Flag::Layers,
            Flag::PreviousImage,
            Flag::RunImage,
            Flag::Tag,
        ],
    ),
    (PlatformApi::analyzer_skips_layers, &[Flag::LaunchCache, Flag::SkipLayers]),
    (PlatformApi::has_layouts, &[Flag::Layout, Flag::LayoutDir]),
    (PlatformApi::has_run_toml, &[Flag::Run]),
    (BEFORE_RUN_TOML, &[Flag::Stack]),
    (PlatformApi::has_insecure_registries, &[Flag::InsecureRegistry]),
];

const DETECTOR: Flags = &[
    (ALWAYS, &[Flag::App, Flag::Buildpacks, Flag::Group, Flag::Layers, Flag::Order, Flag::Plan, Flag::Platform]),
    (PlatformApi::has_extensions, &[Flag::Analyzed, Flag::Extensions, Flag::Generated]),
    (PlatformApi::has_build_config, &[Flag::BuildConfig]),
    (PlatformApi::has_run_toml, &[Flag::Run]),
    (PlatformApi::has_system_toml, &[Flag::System]),
];

const RESTORER: Flags = &[
    (ALWAYS, &[Flag::Analyzed, Flag::CacheDir, Flag::CacheImage, Flag::Gid, Flag::Uid, Flag::Group, Flag::Layers, Flag::SkipLayers]),
    (PlatformApi::has_extensions, &[Flag::BuildImage]),
    (PlatformApi::has_layouts, &[Flag::Daemon, Flag::Generated, Flag::Layout, Flag::LayoutDir]),
    (PlatformApi::has_insecure_registries, &[Flag::InsecureRegistry]),
    (PlatformApi::restorer_reads_run_toml, &[Flag::Run]),
];

const BUILDER: Flags = &[
    (ALWAYS, &[Flag::App, Flag::Buildpacks, Flag::Group, Flag::Layers, Flag::Plan, Flag::Platform]),
    (PlatformApi::has_build_config, &[Flag::BuildConfig]),
    (PlatformApi::has_targets, &[Flag::Analyzed]),
];

const EXPORTER: Flags = &[
    (
        ALWAYS,
        &[
            Flag::Analyzed,
            Flag::App,
            Flag::CacheDir,
            Flag::CacheImage,
            Flag::Daemon,
            Flag::Gid,
            Flag::Uid,
            Flag::Group,
            Flag::Image,
            Flag::LaunchCache,
            Flag::Launcher,
            Flag::Layers,
            Flag::Parallel,
            Flag::ProcessType,
            Flag::ProjectMetadata,
            Flag::Report,
            Flag::RunImage,
        ],
    ),
    (BEFORE_RUN_TOML, &[Flag::Stack]),
    (PlatformApi::has_lifecycle_sbom, &[Flag::LauncherSbom]),
    (PlatformApi::has_layouts, &[Flag::Extended, Flag::Layout, Flag::LayoutDir]),
    (PlatformApi::has_run_toml, &[Flag::Run]),
    (PlatformApi::has_insecure_registries, &[Flag::InsecureRegistry]),
];

const REBASER: Flags = &[
    (ALWAYS, &[Flag::Daemon, Flag::Gid, Flag::Uid, Flag::Report, Flag::RunImage, Flag::Image]),
    (PlatformApi::rebases_from_previous_image, &[Flag::PreviousImage]),
    (PlatformApi::has_forced_rebase, &[Flag::Force]),
    (PlatformApi::has_insecure_registries, &[Flag::InsecureRegistry]),
];

const CREATOR: Flags = &[
    (
        ALWAYS,
        &[
            Flag::App,
            Flag::Buildpacks,
            Flag::CacheDir,
            Flag::CacheImage,
            Flag::Daemon,
            Flag::Gid,
            Flag::Uid,
            Flag::LaunchCache,
            Flag::Launcher,
            Flag::Layers,
            Flag::Order,
            Flag::Parallel,
            Flag::Platform,
            Flag::PreviousImage,
            Flag::ProcessType,
            Flag::ProjectMetadata,
            Flag::Report,
            Flag::RunImage,
            Flag::SkipRestore,
            Flag::Stack,
            Flag::Tag,
        ],
    ),
    (PlatformApi::has_build_config, &[Flag::BuildConfig]),
    (PlatformApi::has_lifecycle_sbom, &[Flag::LauncherSbom]),
    (PlatformApi::has_layouts, &[Flag::Layout, Flag::LayoutDir]),
    (PlatformApi::has_run_toml, &[Flag::Run]),
    (PlatformApi::has_insecure_registries, &[Flag::InsecureRegistry]),
    (PlatformApi::has_system_toml, &[Flag::System]),
];

impl Phase {
    fn flags(self) -> Flags {
        match self {
            Self::Analyze => ANALYZER,
            Self::Build => BUILDER,
            Self::Create => CREATOR,
            Self::Detect => DETECTOR,
            Self::Export => EXPORTER,
            Self::Rebase => REBASER,
            Self::Restore => RESTORER,
        }
    }

    /// The flags that the phase has at a version, in the order of their names.
    pub(super) fn definitions(self, api: PlatformApi) -> impl Iterator<Item = &'static Definition> {
        let has =
            move |flag: &Flag| EVERY_PHASE.contains(flag) || self.flags().iter().any(|(since, flags)| since(api) && flags.contains(flag));
        DEFINITIONS.iter().filter(move |definition| has(&definition.flag))
    }
}

impl Flag {
    pub(super) fn definition(self) -> &'static Definition {
        // The table has every flag: a test compares.
        DEFINITIONS.iter().find(|definition| definition.flag == self).unwrap_or(&DEFINITIONS[0])
    }
}
