package contract

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Names of the files in a support bundle. Those in daemon are as the daemon sees
// them; those in here are as the program that wrote the bundle does, whose user
// may be another.
const (
	BundleReadme        = "README.txt"
	BundleVersions      = "daemon/versions.json"
	BundleSnapshot      = "daemon/snapshot.json"
	BundleReadiness     = "daemon/readiness.json"
	BundleEvents        = "daemon/events.jsonl"
	BundleLog           = "daemon/log.jsonl"
	BundleConfiguration = "daemon/configuration.json"
	BundleMachine       = "daemon/machine.json"
	BundleHereVersions  = "here/versions.json"
	BundleHereConfig    = "here/configuration.json"
	BundleHereMachine   = "here/machine.json"
	BundleHereDoctor    = "here/doctor.json"
	BundleHereService   = "here/service.json"
	BundleHereLog       = "here/service.log"
	bundleMissing       = "missing.json"
)

// BundleFile is a file of the bundle and what it says.
type BundleFile struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

// bundleFiles are all that there may be, in the order of the bundle.
var bundleFiles = []BundleFile{
	{BundleReadme, "this text"},
	{BundleVersions, "which program runs, and since when"},
	{BundleSnapshot, "what it knows: readers, authenticators, checks"},
	{BundleReadiness, "which sign-ins can be done, and why not"},
	{BundleEvents, "what happened last, one event a line"},
	{BundleLog, "what it logged last, without traces"},
	{BundleConfiguration, "the configuration in force, without secrets"},
	{BundleMachine, "the operating system around it"},
	{BundleHereVersions, "which program wrote this bundle"},
	{BundleHereConfig, "the configuration file now, or its errors"},
	{BundleHereMachine, "the operating system around who wrote this"},
	{BundleHereDoctor, "what authbridge doctor finds"},
	{BundleHereService, "what the manager of services says"},
	{BundleHereLog, "the service's log, of former starts too"},
	{bundleMissing, "what could not be had, and why"},
}

const (
	// maxBundleFile bounds a file of the bundle before it is packed, in octets. A
	// snapshot of 16 readers and 32 keys has 150 kB.
	maxBundleFile = 4 << 20
	// maxNamed bounds what is said of why a part is missing.
	maxNamed = 500
)

// Bundle is the support bundle: a zip that people send to others. No file of it
// holds a PIN, a token, a secret, a name of a person or a UUID: whoever puts a
// file in leaves them out, and what may have got into its texts is masked.
type Bundle struct {
	files   map[string][]byte
	missing []missingPart
}

// missingPart is a part that could not be had.
type missingPart struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Add puts a file in, or says why it is not. also are names to hide, as those of
// [MaskText].
func (b *Bundle) Add(name string, text []byte, err error, also ...string) {
	if err == nil && len(text) > maxBundleFile {
		err = errors.New("it is too long")
	}
	if err != nil {
		b.Miss(name, err.Error())
		return
	}
	if b.files == nil {
		b.files = map[string][]byte{}
	}
	b.files[name] = []byte(MaskText(string(text), also...))
}

// AddJSON puts a value in.
func (b *Bundle) AddJSON(name string, value any, also ...string) {
	text, err := json.MarshalIndent(value, "", "  ")
	b.Add(name, text, err, also...)
}

// AddLines puts the last lines in, as many as fit.
func (b *Bundle) AddLines(name string, lines [][]byte, err error, also ...string) {
	first, octets := len(lines), 0
	for first > 0 && octets+len(lines[first-1])+1 <= maxBundleFile {
		first--
		octets += len(lines[first]) + 1
	}
	text := make([]byte, 0, octets)
	for _, line := range lines[first:] {
		text = append(append(text, line...), '\n')
	}
	b.Add(name, text, err, also...)
}

// Miss says why a part is not there.
func (b *Bundle) Miss(what, why string) {
	b.missing = append(b.missing, missingPart{what, MaskText(why[:min(len(why), maxNamed)])})
}

// Missing are the parts that are not there, each with the reason.
func (b *Bundle) Missing() []string {
	all := make([]string, len(b.missing))
	for i, m := range b.missing {
		all[i] = m.What + ": " + m.Why
	}
	return all
}

// Files are the files, in their order.
func (b *Bundle) Files() (all []BundleFile) {
	for _, f := range bundleFiles {
		_, has := b.files[f.Name]
		if has || f.Name == BundleReadme || f.Name == bundleMissing && len(b.missing) > 0 {
			all = append(all, f)
		}
	}
	return all
}

// Write packs it.
func (b *Bundle) Write(w io.Writer) error {
	missing, err := json.Marshal(b.missing)
	if err != nil {
		return err
	}
	out := zip.NewWriter(w)
	for _, f := range b.Files() {
		text := b.files[f.Name]
		switch f.Name {
		case BundleReadme:
			text = b.readme()
		case bundleMissing:
			text = missing
		}
		part, err := out.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: time.Now()})
		if err != nil {
			return err
		}
		if _, err := part.Write(text); err != nil {
			return err
		}
	}
	return out.Close()
}

func (b *Bundle) readme() []byte {
	var text strings.Builder
	text.WriteString(`Support bundle of authbridge

No PIN, token, secret, name of a person or UUID is in it: they are left out, or
are ***; of a UUID the last three digits are there. Look it through before you
send it: names of tokens and purposes of leases are as somebody wrote them.

`)
	for _, f := range b.Files() {
		fmt.Fprintf(&text, "%-25s  %s\n", f.Name, f.About)
	}
	if len(b.missing) > 0 {
		text.WriteString("\nWhat could not be had:\n\n")
	}
	for _, why := range b.Missing() {
		fmt.Fprintf(&text, "- %s\n", why)
	}
	return []byte(text.String())
}

// ReadBundle reads one that was packed. Files of other names are left out, those
// of a newer version too.
func ReadBundle(packed []byte) (*Bundle, error) {
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return nil, err
	}
	b := &Bundle{}
	for _, f := range bundleFiles {
		if f.Name == BundleReadme {
			continue
		}
		file, err := archive.Open(f.Name)
		if err != nil {
			continue // it is not there
		}
		text, err := io.ReadAll(io.LimitReader(file, maxBundleFile+1))
		err = errors.Join(err, file.Close())
		if err == nil && f.Name == bundleMissing {
			err = json.Unmarshal(text, &b.missing)
		} else {
			b.Add(f.Name, text, err)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}
