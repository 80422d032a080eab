package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is what the figures are of.
type machine struct {
	cpu, kernel, system, load string
	cores                     int
	at                        time.Time
}

func thisMachine() machine {
	m := machine{cpu: "unknown CPU", cores: runtime.NumCPU(), at: time.Now()}
	for line := range strings.Lines(slurp("/proc/cpuinfo")) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.cpu = strings.TrimSpace(value)
			break
		}
	}
	m.kernel, _, _ = strings.Cut(strings.TrimSpace(slurp("/proc/sys/kernel/osrelease")), "-")
	for line := range strings.Lines(slurp("/etc/os-release")) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			m.system = strings.Trim(value, `"`)
		}
	}
	m.load = firstField(slurp("/proc/loadavg"))
	return m
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, Linux %s, %s, %s, %s, load %s at the start.", m.cpu, m.cores, m.kernel, m.system, runtime.Version(),
		m.at.Format(time.DateOnly), m.load)
}

func firstField(text string) string {
	field, _, _ := strings.Cut(text, " ")
	return field
}

func slurp(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

// cpuOf is how long the threads of a process ran.
func cpuOf(pid int) time.Duration {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	var sum time.Duration
	for _, task := range tasks {
		if f := strings.Fields(slurp(task)); len(f) > 0 {
			ns, _ := strconv.ParseInt(f[0], 10, 64)
			sum += time.Duration(ns)
		}
	}
	return sum
}

// switchesOf counts the context switches of all threads of a process.
func switchesOf(pid int) (sum int64) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, task := range tasks {
		for line := range strings.Lines(slurp(task)) {
			if name, value, _ := strings.Cut(line, ":"); strings.HasSuffix(name, "ctxt_switches") {
				n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
				sum += n
			}
		}
	}
	return sum
}

// memory is what a process has in RAM.
type memory struct{ rss, anon float64 } // MB (10^6 octets)

func memoryOf(pid int) (m memory) {
	for line := range strings.Lines(slurp(fmt.Sprintf("/proc/%d/status", pid))) {
		name, value, _ := strings.Cut(line, ":")
		kB, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		switch name {
		case "VmRSS":
			m.rss = kB * 1024 / 1e6
		case "RssAnon":
			m.anon = kB * 1024 / 1e6
		}
	}
	return m
}
