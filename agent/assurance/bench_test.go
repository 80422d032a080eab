package assurance_test

import (
	"fmt"
	"testing"

	"authbridge/agent/assurance"
	"authbridge/agent/contract"
)

// BenchmarkJudge is a machine with 16 readers and 32 keys.
func BenchmarkJudge(b *testing.B) {
	var cards, keys []string
	for n := range 32 {
		if n < 16 {
			cards = append(cards, fmt.Sprint("c", n))
		}
		keys = append(keys, fmt.Sprint("k", n))
	}
	s := snapshot(with(machine("windows"), cards, keys, contract.Physical))
	for b.Loop() {
		assurance.Judge(s, contract.Question{AAL: 3, Target: "int"})
	}
}
