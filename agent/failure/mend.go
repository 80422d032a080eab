package failure

import "runtime"

// Mend is what does the remedy, for a terminal: commands, one a line, in their
// order. What follows a # says where one is for. Empty where only a hand can do
// it, or where nobody can say in which file or with which id.
type Mend struct{ Linux, Windows, MacOS string }

// everywhere is a command of our own, which is the same on each system.
func everywhere(command string) Mend { return Mend{command, command, command} }

// On is what to type on a system, by its GOOS.
func (m Mend) On(goos string) string {
	switch goos {
	case "linux":
		return m.Linux
	case "windows":
		return m.Windows
	case "darwin":
		return m.MacOS
	}
	return ""
}

// Here is what to type on this machine.
func (m Mend) Here() string { return m.On(runtime.GOOS) }
