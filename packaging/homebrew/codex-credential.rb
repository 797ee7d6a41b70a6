class CodexCredential < Formula
  desc "One Codex login for every process on the machine"
  homepage "https://example.com/codex-credential"
  url "https://example.com/codex-credential/codex-credential-0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "protobuf" => :build
  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args, "--features", "etcd"
    system "cargo", "run", "--locked", "--example", "packaging", "--", "made"
    man1.install Dir["made/man/*.1"]
    bash_completion.install "made/completions/codex-credential.bash" => "codex-credential"
    zsh_completion.install "made/completions/_codex-credential"
    fish_completion.install "made/completions/codex-credential.fish"
    pwsh_completion.install "made/completions/_codex-credential.ps1"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/codex-credential --version")
    ENV["CODEX_HOME"] = testpath
    ENV["CODEX_CREDENTIAL_INTERACTIVE"] = "never"
    assert_match "nobody is signed in", shell_output("#{bin}/codex-credential get --format token 2>&1 </dev/null", 3)
  end
end
