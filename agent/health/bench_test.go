package health_test

import (
	"fmt"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/health"
)

// BenchmarkJudge shows that the cost grows linearly with what is plugged in.
func BenchmarkJudge(b *testing.B) {
	for _, n := range []int{1, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			facts := world()
			for i := range n {
				id := fmt.Sprint(i)
				facts.Readers = append(facts.Readers, reader(id, contract.Ready))
				facts.Cards = append(facts.Cards, goodCard(id))
				facts.Keys = append(facts.Keys, goodKey("k"+id), goodKey("l"+id))
			}
			for b.Loop() {
				health.Judge(facts, noon)
			}
		})
	}
}
