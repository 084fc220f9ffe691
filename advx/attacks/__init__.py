"""Attacks, one file each: `attack(model, images, labels) -> adversarial images`, batched.

Three separate things, combined freely: the objective that is maximized (`objectives`), the norm's
geometry (`norms`) and the search (the attack's own file).
"""
