/* Mock of ESP-IDF 4.4: pins that keep their level in deep sleep. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

typedef int esp_err_t;
typedef enum { GPIO_NUM_32 = 32 } gpio_num_t;

esp_err_t rtc_gpio_hold_en(gpio_num_t gpio_num);
esp_err_t rtc_gpio_hold_dis(gpio_num_t gpio_num);

#ifdef __cplusplus
}
#endif
