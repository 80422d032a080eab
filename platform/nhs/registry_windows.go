package nhs

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/windows/registry"
)

// mostEntries bounds the list of installed programs.
const mostEntries = 5000

const uninstall = `SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`

// views are the registry's two lists of software, of 64 and of 32 bits. On a
// Windows of 32 bits they are one.
var views = []uint32{registry.WOW64_64KEY, registry.WOW64_32KEY}

// eachKey goes through the keys below one, until visit says that it is enough.
// A key that is not there has none.
func eachKey(root registry.Key, path string, view uint32, visit func(name string, k registry.Key) (more bool)) error {
	k, err := registry.OpenKey(root, path, registry.ENUMERATE_SUB_KEYS|view)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer k.Close()
	names, err := k.ReadSubKeyNames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		sub, err := registry.OpenKey(k, name, registry.QUERY_VALUE|registry.ENUMERATE_SUB_KEYS|view)
		if err != nil {
			continue // gone meanwhile, or not for us
		}
		more := visit(name, sub)
		_ = sub.Close()
		if !more {
			break
		}
	}
	return nil
}

func text(k registry.Key, name string) string {
	s, _, err := k.GetStringValue(name)
	if err != nil {
		return ""
	}
	return s
}

// installed reads the lists of installed programs: the machine's and, where a
// person runs this, that person's.
func installed() Seen[[]Program] {
	var entries []entry
	for _, root := range []registry.Key{registry.LOCAL_MACHINE, registry.CURRENT_USER} {
		for _, view := range views {
			err := eachKey(root, uninstall, view, func(_ string, k registry.Key) bool {
				entries = append(entries, entry{text(k, "DisplayName"), text(k, "DisplayVersion")})
				return len(entries) < mostEntries
			})
			if err != nil {
				return unknown[[]Program]("the list of installed programs: " + errorText(err))
			}
		}
	}
	return known(programsOf(entries))
}

// gateway looks for the settings of NHS Identity Agent. Where they are is not
// published: they are looked for in each maker's keys by their name, two levels
// deep.
func gateway() Seen[string] {
	found := ""
	var deeper func(k registry.Key, view uint32, depth int, inside bool) bool
	deeper = func(k registry.Key, view uint32, depth int, inside bool) bool {
		if inside {
			if found = gatewayOf(stringsOf(k)); found != "" || depth == 0 {
				return found == ""
			}
		}
		if depth == 0 {
			return true
		}
		_ = eachKey(k, "", view, func(name string, sub registry.Key) bool {
			return deeper(sub, view, depth-1, inside || strings.Contains(strings.ToLower(name), "identity agent") || strings.Contains(strings.ToLower(name), "identityagent"))
		})
		return found == ""
	}
	for _, view := range views {
		err := eachKey(registry.LOCAL_MACHINE, "SOFTWARE", view, func(name string, k registry.Key) bool {
			lower := strings.ToLower(name)
			if lower == "microsoft" || lower == "classes" || lower == "wow6432node" {
				return true // large, and not theirs
			}
			return deeper(k, view, 2, false)
		})
		if err != nil {
			return unknown[string]("the settings of NHS Identity Agent: " + errorText(err))
		}
		if found != "" {
			break
		}
	}
	return known(found)
}

// stringsOf are the values of a key that are text.
func stringsOf(k registry.Key) []string {
	names, _ := k.ReadValueNames(-1)
	var all []string
	for _, name := range names {
		if s := text(k, name); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// calais is where Windows has its smartcard drivers by card.
const calais = `SOFTWARE\Microsoft\Cryptography\Calais\SmartCards`

// hasDriver is whether a driver's name or its provider's is as wanted.
func hasDriver(is func(lower string) bool) Seen[bool] {
	found, any := false, false
	for _, view := range views {
		err := eachKey(registry.LOCAL_MACHINE, calais, view, func(name string, k registry.Key) bool {
			any = true
			found = is(strings.ToLower(name)) || is(strings.ToLower(text(k, "Crypto Provider")))
			return !found
		})
		if err != nil {
			return unknown[bool]("the smartcard drivers of Windows: " + errorText(err))
		}
		if found {
			break
		}
	}
	if !any {
		return unknown[bool]("Windows lists no smartcard driver at all")
	}
	return known(found)
}

// windowsPolicies reads the rules of Chrome and Edge. The machine's win over
// those of a person.
func windowsPolicies() Seen[[]Policy] {
	all := []Policy{}
	for browser, path := range map[string]string{"Chrome": `SOFTWARE\Policies\Google\Chrome`, "Edge": `SOFTWARE\Policies\Microsoft\Edge`} {
		r := rules{}
		for _, root := range []registry.Key{registry.CURRENT_USER, registry.LOCAL_MACHINE} {
			if err := readPolicies(root, path, r); err != nil {
				return unknown[[]Policy]("rules of " + browser + ": " + errorText(err))
			}
		}
		all = append(all, policiesOf(browser, r)...)
	}
	return known(sortedPolicies(all))
}

func readPolicies(root registry.Key, path string, r rules) error {
	k, err := registry.OpenKey(root, path, registry.QUERY_VALUE)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer k.Close()
	names, _ := k.ReadValueNames(-1)
	for _, name := range names {
		if n, _, err := k.GetIntegerValue(name); err == nil {
			r[name] = json.RawMessage(strconv.FormatUint(n, 10))
		}
	}
	return eachKey(root, path, 0, func(name string, sub registry.Key) bool {
		if list, err := json.Marshal(stringsOf(sub)); err == nil {
			r[name] = list
		}
		return true
	})
}

// machineName is maker and product by the firmware's tables.
func machineName() (maker, product string) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `HARDWARE\DESCRIPTION\System\BIOS`, registry.QUERY_VALUE)
	if err != nil {
		return "", ""
	}
	defer k.Close()
	return text(k, "SystemManufacturer"), text(k, "SystemProductName")
}
