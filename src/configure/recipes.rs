//! What a person puts into a program of their own, for tools that have no file to write to.

use crate::configure::program::Program;
use crate::error::Result;

#[derive(Clone, Copy, Debug)]
pub enum Recipe {
    Opencode,
    Curl,
    OpenaiPython,
    OpenaiJs,
    Kubectl,
}

impl Recipe {
    /// With this program's own path.
    pub fn text(self) -> Result<String> {
        let text = match self {
            Self::Opencode => include_str!("../../helpers/opencode/recipe.txt"),
            Self::Curl => include_str!("../../helpers/curl/recipe.txt"),
            Self::OpenaiPython => include_str!("../../helpers/openai-python/recipe.txt"),
            Self::OpenaiJs => include_str!("../../helpers/openai-js/recipe.txt"),
            Self::Kubectl => include_str!("../../helpers/kubectl/recipe.txt"),
        };
        Ok(text.replace("/path/to/codex-credential", Program::this()?.text()))
    }
}
