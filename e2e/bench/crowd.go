package main

func (b *bench) crowd(h *harness) {}
