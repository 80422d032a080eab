// Package house_test holds the arrows of the house: what may import what.
package house_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath string
	Doc        string
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
	Deps       []string
	Dir        string
}

func list(t *testing.T, goos string, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Doc,GoFiles,CgoFiles,Imports,Deps,Dir"}, args...)...)
	cmd.Env = append(os.Environ(), "GOOS="+goos)
	if goos != "linux" {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// arrows say which packages of ours a package may import, by path prefix
// below the module. A package that no row names may import nothing of ours.
var arrows = []struct {
	from string
	to   []string
}{
	{"pcsc/apdu", nil},
	{"pcsc/piv", []string{"pcsc/apdu"}},
	{"pcsc/vcard", []string{"pcsc"}},
	{"pcsc", []string{"pcsc"}},
	{"fido/vkey", []string{"fido"}},
	{"fido", nil},
	{"agent/contract", nil},
	{"agent/failure", []string{"agent/contract"}},
	{"agent/health", []string{"agent/contract", "agent/failure", "agent/cis2"}},
	{"agent/assurance", []string{"agent/contract", "agent/failure", "agent/health", "agent/cis2"}},
	{"agent/store", []string{"agent/contract", "agent/failure"}},
	{"agent/inventory", []string{"agent/contract", "agent/failure", "agent/health", "agent/assurance", "agent/store", "pcsc", "fido"}},
	{"agent/virtual", []string{"agent/contract", "agent/failure", "pcsc", "fido"}},
	{"agent/lease", []string{"agent/contract", "agent/failure", "agent/store"}},
	{"agent/ceremony", []string{"agent/contract", "agent/failure", "agent/store", "agent/lease", "pcsc", "fido"}},
	{"agent/cis2", nil},
	{"agent/login", []string{"agent/contract", "agent/failure", "agent/store", "agent/cis2", "agent/lease", "agent/report", "agent/serve"}},
	{"agent/report", nil},
	{"agent/rpcheck", []string{"agent/contract", "agent/failure", "agent/cis2", "agent/report"}},
	{"agent/serve", nil},
	{"agent/mockcis2", []string{"agent/cis2", "agent/serve"}},
	{"agent/web", nil},
	{"agent/target", []string{"agent/contract", "agent/cis2", "agent/health", "agent/inventory"}},
	{"agent/workstation", []string{"agent/contract", "agent/failure", "agent/health", "agent/inventory", "platform/nhs"}},
	{"agent/client", []string{"agent/contract", "platform"}},
	{"agent/api", []string{"agent"}},
	{"platform", nil},
	{"cmd/authbridge", []string{"agent/client", "agent/contract", "agent/failure", "platform"}},
	{"cmd/authbridge-tray", []string{"agent/client", "agent/contract", "platform"}},
	{"examples", nil},
	{"e2e", []string{"agent", "fido", "pcsc", "platform", "e2e"}},
}

// composition is what may import everything: the daemon, and in files of their
// own the mock, which also runs alone, and login runs, which take most of the
// others together.
var composition = []string{
	"cmd/authbridge/wire.go", "cmd/authbridge/wire_mock.go", "cmd/authbridge/wire_mockapi.go", "cmd/authbridge/wire_login.go", "cmd/authbridge/wire_check.go",
	"cmd/authbridge/wire_target.go", "cmd/authbridge/wire_users.go", "cmd/authbridge/wire_workstation.go", "cmd/authbridge/wire_hello.go",
}

func TestImportsFollowTheArrows(t *testing.T) {
	t.Parallel()
	for _, goos := range []string{"linux", "windows", "darwin"} {
		for _, p := range list(t, goos, "./...") {
			from, ours := strings.CutPrefix(p.ImportPath, "authbridge/")
			if !ours || strings.HasSuffix(from, "_test") {
				continue
			}
			allowed, named := arrowOf(from)
			if !named {
				t.Errorf("%s has no row in the table of arrows", from)
				continue
			}
			imports := p.Imports
			if from == path.Dir(composition[0]) {
				imports = importsWithout(t, p, composition)
			}
			for _, to := range imports {
				to, ours := strings.CutPrefix(to, "authbridge/")
				if ours && !slices.ContainsFunc(allowed, func(a string) bool { return to == a || strings.HasPrefix(to, a+"/") }) {
					t.Errorf("%s (%s) must not import %s", from, goos, to)
				}
			}
		}
	}
}

func arrowOf(from string) (to []string, named bool) {
	for _, a := range arrows {
		if from == a.from || strings.HasPrefix(from, a.from+"/") {
			return a.to, true
		}
	}
	return nil, false
}

// importsWithout lists what the files of a package import, but for some files.
func importsWithout(t *testing.T, p pkg, except []string) []string {
	t.Helper()
	var all []string
	for _, f := range slices.Concat(p.GoFiles, p.CgoFiles) {
		if !slices.ContainsFunc(except, func(e string) bool { return path.Base(e) == f }) {
			all = append(all, importsOf(t, filepath.Join(p.Dir, f))...)
		}
	}
	return all
}

func importsOf(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	paths := make([]string, len(parsed.Imports))
	for i, s := range parsed.Imports {
		paths[i] = strings.Trim(s.Path.Value, `"`)
	}
	return paths
}

// once says which file alone may import a library whose types or traps must
// go no further.
var once = map[string]int{
	"github.com/ebfe/scard":                    1,
	"github.com/go-ctap/ctaphid/pkg/ctap":      2,
	"github.com/go-ctap/ctaphid/pkg/ctaphid":   2,
	"github.com/go-ctap/ctaphid/pkg/ctaptypes": 2,
	"github.com/go-ctap/ctaphid/pkg/device":    0,
}

func TestLibrariesWithTrapsAreImportedOnce(t *testing.T) {
	t.Parallel()
	for _, goos := range []string{"linux", "windows"} {
		users := map[string][]string{}
		for _, p := range list(t, goos, "./...") {
			for _, f := range slices.Concat(p.GoFiles, p.CgoFiles) {
				for _, imp := range importsOf(t, filepath.Join(p.Dir, f)) {
					if _, held := once[imp]; held {
						users[imp] = append(users[imp], path.Join(p.ImportPath, f))
					}
				}
			}
		}
		for lib, most := range once {
			if len(users[lib]) > most {
				t.Errorf("%s: %s is imported by %d files, at most %d may: %v", goos, lib, len(users[lib]), most, users[lib])
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "linux", "./...") {
		if len(p.GoFiles)+len(p.CgoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// TestTheDaemonStaysSmall holds what memory on a developer's machine hangs on:
// most of it is the mapped binary (docs/adr/0002-libraries.md). Cobra imports
// text/template, so what counts is whether the linker kept its engine.
func TestTheDaemonStaysSmall(t *testing.T) {
	t.Parallel()
	// 16.5 MB before the mock service, 21.1 with it: go-webauthn and what its
	// attestation formats need are 2 of it, JOSE, TOTP and the keyring's D-Bus
	// most of the rest. 23.6 with the page, targets, suites, the checks of relying
	// parties and the service, which is our own code for the most part.
	const limit = 24 << 20
	binary := filepath.Join(t.TempDir(), "authbridge")
	build := func(flags ...string) {
		t.Helper()
		args := append([]string{"build", "-trimpath", "-o", binary}, flags...)
		if out, err := exec.Command("go", append(args, "./cmd/authbridge")...).CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	build()
	symbols, err := exec.Command("go", "tool", "nm", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range []string{"text/template.(*Template).Execute", "html/template.(*Template).Execute", "github.com/prometheus/"} {
		if strings.Contains(string(symbols), engine) {
			t.Errorf("the daemon links %s", engine)
		}
	}
	build("-ldflags", "-s -w")
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > limit {
		t.Errorf("the daemon is %d octets, at most %d", info.Size(), limit)
	}
}

func TestTheClientsOpenNothingOfTheServer(t *testing.T) {
	t.Parallel()
	for _, goos := range []string{"linux", "windows", "darwin"} {
		for _, p := range list(t, goos, "./agent/client", "./cmd/authbridge-tray") {
			for _, dep := range p.Deps {
				for _, server := range []string{"authbridge/agent/api", "authbridge/agent/inventory", "authbridge/agent/store", "authbridge/pcsc", "authbridge/fido"} {
					if dep == server || strings.HasPrefix(dep, server+"/") {
						t.Errorf("%s (%s) links %s", p.ImportPath, goos, dep)
					}
				}
			}
		}
	}
}

// TestJudgingDoesNoIO holds what makes a read of the state fast and harmless,
// whatever a card is doing: checks and verdicts come from facts alone.
func TestJudgingDoesNoIO(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "linux", "./agent/health", "./agent/assurance", "./agent/cis2") {
		for _, imp := range p.Imports {
			root, _, _ := strings.Cut(imp, "/")
			if slices.Contains([]string{"os", "net", "syscall", "database", "io"}, root) {
				t.Errorf("%s must not import %s", p.ImportPath, imp)
			}
		}
	}
}

// TestTheDocsNameTestsThatExist holds what docs/security.md promises: that the
// test of each rule stands beside it.
func TestTheDocsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		tests.Write(source)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(Test|Fuzz)[A-Z]\w+`).FindAllString(string(text), -1)
	if len(named) < 20 {
		t.Errorf("docs/security.md names %d tests", len(named))
	}
	for _, name := range named {
		if !strings.Contains(tests.String(), "func "+name+"(") {
			t.Errorf("docs/security.md names %s, which does not exist", name)
		}
	}
}
