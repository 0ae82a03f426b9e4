"""Checks of the exercises, one module a topic: ``exercises.check_NAME(your_function)``."""

from mtl_utils.exercises.checking import CHECKS, Answer, Exercise, Verdict, exercise
from mtl_utils.exercises.conflicting_gradients import (
    check_equal_projections,
    check_keeps_positive,
    check_louder_topics,
    check_two_arrows,
)
from mtl_utils.exercises.deployment import (
    check_adjusted_chances,
    check_deployment_by_hand,
    check_shared_batches,
    check_teachers_or_labels,
)
from mtl_utils.exercises.dynamic_sharing import (
    check_chance_of_first,
    check_collapse_costs,
    check_gates_by_hand,
    check_join_additions,
)
from mtl_utils.exercises.features_know import (
    check_features_by_hand,
    check_online_bits,
    check_uniform_attention,
    check_without_directions,
)
from mtl_utils.exercises.hierarchies import (
    check_count_trees,
    check_event_from_words,
    check_held_minimum,
    check_ladder_by_hand,
)
from mtl_utils.exercises.hyperparameters import (
    check_search_by_hand,
    check_slow_starters,
    check_trials_needed,
    check_unbiased_best,
)
from mtl_utils.exercises.language_models import (
    check_best_mixture,
    check_continuation_count,
    check_kneser_ney_by_hand,
)
from mtl_utils.exercises.little_data import (
    check_confident_rows,
    check_few_rows_by_hand,
    check_steps_or_start,
    check_written_accuracy,
)
from mtl_utils.exercises.many_languages import (
    check_languages_by_hand,
    check_pieces_or_layers,
    check_retrieved,
    check_unseen_share,
)
from mtl_utils.exercises.multitask_transformer import (
    check_losses_by_hand,
    check_paired_interval,
    check_soft_alignment,
    check_tags_in_company,
)
from mtl_utils.exercises.named_entities import (
    check_forward_step,
    check_letters_or_words,
    check_two_disagreements,
    check_viterbi_by_hand,
)
from mtl_utils.exercises.negative_transfer import (
    check_events_beside_topics,
    check_paired_gain,
    check_row_excess,
    check_transfer_by_hand,
)
from mtl_utils.exercises.pretrained import (
    check_answer_score,
    check_cut_spans,
    check_pretraining_by_hand,
    check_slow_or_poor,
)
from mtl_utils.exercises.sampling import (
    check_curriculum_rows,
    check_neighbours,
    check_sampling_by_hand,
    check_temperature_within,
)
from mtl_utils.exercises.scaling_out import (
    check_half_volume,
    check_ring_table,
    check_scaling_by_hand,
    check_step_factors,
)
from mtl_utils.exercises.sharing_families import (
    check_implicit_step,
    check_lag_with_own_adam,
    check_states_overlap,
    check_two_towers,
)
from mtl_utils.exercises.task_relations import (
    check_learnt_covariance,
    check_pair_agreement,
    check_relations_by_hand,
    check_same_sentences,
)
from mtl_utils.exercises.tasks_that_come_and_go import (
    check_elastic_minimum,
    check_few_rows_replayed,
    check_forgetting_by_hand,
    check_member_chance,
)
from mtl_utils.exercises.text_and_pictures import (
    check_contrast,
    check_little_dropout,
    check_picture_vector,
    check_pictures_by_hand,
)
from mtl_utils.exercises.three_tasks import (
    check_expected_risk,
    check_own_past,
    check_scales_by_hand,
    check_topic_or_batch,
)
from mtl_utils.exercises.transformer import (
    check_attention_by_hand,
    check_merge_parts,
    check_previous_position,
    check_warmup_helps,
)
from mtl_utils.exercises.translation import (
    check_attention_weights,
    check_last_states,
    check_searches_by_hand,
    check_teacher_inputs,
)
from mtl_utils.exercises.weighing_losses import (
    check_best_log_variance,
    check_falling_factor,
    check_hidden_points,
    check_weights_by_hand,
)

__all__ = [
    "CHECKS",
    "Answer",
    "Exercise",
    "Verdict",
    "check_adjusted_chances",
    "check_answer_score",
    "check_attention_weights",
    "check_best_log_variance",
    "check_best_mixture",
    "check_chance_of_first",
    "check_collapse_costs",
    "check_confident_rows",
    "check_continuation_count",
    "check_contrast",
    "check_count_trees",
    "check_curriculum_rows",
    "check_cut_spans",
    "check_deployment_by_hand",
    "check_elastic_minimum",
    "check_equal_projections",
    "check_event_from_words",
    "check_events_beside_topics",
    "check_expected_risk",
    "check_falling_factor",
    "check_features_by_hand",
    "check_few_rows_by_hand",
    "check_few_rows_replayed",
    "check_forgetting_by_hand",
    "check_forward_step",
    "check_gates_by_hand",
    "check_half_volume",
    "check_held_minimum",
    "check_hidden_points",
    "check_implicit_step",
    "check_join_additions",
    "check_keeps_positive",
    "check_kneser_ney_by_hand",
    "check_lag_with_own_adam",
    "check_ladder_by_hand",
    "check_languages_by_hand",
    "check_last_states",
    "check_learnt_covariance",
    "check_letters_or_words",
    "check_little_dropout",
    "check_losses_by_hand",
    "check_louder_topics",
    "check_member_chance",
    "check_merge_parts",
    "check_neighbours",
    "check_online_bits",
    "check_own_past",
    "check_pair_agreement",
    "check_paired_gain",
    "check_paired_interval",
    "check_picture_vector",
    "check_pretraining_by_hand",
    "check_transfer_by_hand",
    "check_relations_by_hand",
    "check_pictures_by_hand",
    "check_pieces_or_layers",
    "check_sampling_by_hand",
    "check_temperature_within",
    "check_retrieved",
    "check_ring_table",
    "check_row_excess",
    "check_same_sentences",
    "check_scales_by_hand",
    "check_scaling_by_hand",
    "check_shared_batches",
    "check_searches_by_hand",
    "check_slow_or_poor",
    "check_search_by_hand",
    "check_slow_starters",
    "check_soft_alignment",
    "check_states_overlap",
    "check_step_factors",
    "check_steps_or_start",
    "check_tags_in_company",
    "check_teacher_inputs",
    "check_teachers_or_labels",
    "check_topic_or_batch",
    "check_trials_needed",
    "check_two_arrows",
    "check_two_disagreements",
    "check_two_towers",
    "check_unbiased_best",
    "check_uniform_attention",
    "check_unseen_share",
    "check_viterbi_by_hand",
    "check_weights_by_hand",
    "check_without_directions",
    "check_written_accuracy",
    "exercise",
    "check_attention_by_hand",
    "check_previous_position",
    "check_warmup_helps",
]
