package model

// free as an owner means nobody.
const free = -1

// owner gives the claim that has a seat, free if none.
func (s state) owner(seat int) int {
	return int(s.owners[2*seat])<<8 + int(s.owners[2*seat+1]) - 1
}

func (s state) stage(claim int) stage { return stage(s.stages[claim]) }

// of gives the seats of a claim, in their order.
func (s state) of(claim int) []int {
	var list []int
	for seat := range len(s.owners) / 2 {
		if s.owner(seat) == claim {
			list = append(list, seat)
		}
	}
	return list
}

// with gives the state in which a claim is at another stage and seats have another
// owner.
func (s state) with(claim int, at stage, seats []int, owner int) state {
	owners, stages := []byte(s.owners), []byte(s.stages)
	stages[claim] = byte(at)
	for _, seat := range seats {
		owners[2*seat], owners[2*seat+1] = byte((owner+1)>>8), byte(owner+1)
	}
	return state{string(owners), string(stages)}
}
