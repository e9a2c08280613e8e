"""How codes are drawn where nobody says otherwise: demonstrations, evaluations and exported models, so that what one hears is
what is scored."""

TEMPERATURE, TOP_K, TOP_P = 0.7, 0, 1.0
